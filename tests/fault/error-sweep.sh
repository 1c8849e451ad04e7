#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes each system call of ADD, CHECK, DEL and GC go wrong once with each errno that its manual page knows, cuts reads
# and writes short, says of dumps that they were interrupted or broke off, sends a SIGTERM, and looks at what came of it:
#   success: everything is in place (ADD: CHECK agrees; DEL and GC: nothing is left);
#   failure: exit status 1, one error JSON with code and msg, and after a failed ADD nothing is left without any DEL.
# After a failed DEL or GC the next one succeeds. All the while another container goes on answering.
# Of bridge both are swept: its own calls, and those of its child, the IPAM plugin.
# Usage: [CNI_BIN_DIR=bin] [FAILAT=program] tests/fault/error-sweep.sh [STEP [FIRST [PART…]]]
#   Every STEPth fault from the FIRSTth on (default 1 1). PART: a plugin, child; default: each. FAILAT: failat.cpp,
#   built; otherwise it is compiled here.
# Runs in network and mount namespaces of its own. Closing line: 'N passed, N failed'.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
export CNI_BIN_DIR
step=${1:-1} turn=$((0 - ${2:-1}))
parts=("${@:3}")
[ ${#parts[@]} != 0 ] || parts=(host-local bridge child portmap firewall tuning bandwidth)

if [ "${SWEEP_INSIDE-}" != 1 ]; then
    SWEEP_INSIDE=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

work=$(mktemp -d)
# shellcheck source=tests/fault/sweep.sh
. "$here/sweep.sh"
trap cleanup EXIT

judge() { # judge VERB NAME STATUS: the state as it must be now
    local verb=$1 name=$2 status=$3 succeeded=0
    if [ "$status" = 0 ]; then
        succeeded=1
    elif [ "$status" != 1 ] || ! told; then
        echo "status $status, and no error JSON" >"$work/why"
        return 1
    fi
    case $verb$succeeded in
    ADD1)
        with_result "$work/$name.json" "$work/$name.CHECK"
        plugin "$name" CHECK c1 "$work/$name.CHECK" || { echo "CHECK disagrees: $(cat "$work/out")" >"$work/why"; return 1; }
        plugin "$name" DEL c1 "$work/$name.CHECK"
        ;;
    DEL0 | GC0) plugin "$name" "$verb" c1 "$work/$name.$verb" || { echo "the next $verb fails: $(cat "$work/out")" >"$work/why"; return 1; } ;;
    CHECK*) plugin "$name" DEL c1 "$work/$name.DEL" ;;
    esac
}

# try VERB NAME WHO N CALL FAULT
try() {
    local verb=$1 name=$2 n=$4 call=$5 fault=$6 status=0
    begin "$name"
    if [ "$verb" = ADD ]; then
        cp "$work/$name.json" "$work/$name.ADD"
    else
        attach "$name"
    fi
    : >"$work/why"
    : >"$work/diff"
    plugin "$name" "$verb" c1 "$work/$name.$verb" timeout 100 "${failat[@]}" "$n" "$fault" || status=$?
    cp "$work/out" "$work/first.out"
    if judge "$verb" "$name" "$status" && finish "$name" "$verb" && clean; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAIL %s %s (%s): %s at system call %d (%s): exit %d %s\n' "$name" "$verb" "$3" "$fault" "$n" "$call" \
        "$status" "$(tr -d '\n' <"$work/first.out")"
    sed 's/^/    /' "$work/why"
    [ -s "$work/diff" ] && sed 's/^/    /' "$work/diff" | head -20
    forget "$name"
    plugin "$name" DEL c1 "$work/$name.DEL"
    finish "$name"
    state >"$work/baseline" # what is left is told once
}

list_faults() { # list_faults VERB NAME WHO: into $work/possible
    local verb=$1 name=$2
    begin "$name"
    if [ "$verb" = ADD ]; then
        cp "$work/$name.json" "$work/$name.ADD"
    else
        attach "$name"
    fi
    plugin "$name" "$verb" c1 "$work/$name.$verb" "${failat[@]}" list "$work/faults" ||
        { echo "FAIL $name $verb: $(cat "$work/out")"; failed=$((failed + 1)); }
    forget "$name"
    plugin "$name" DEL c1 "$work/$name.DEL"
    finish "$name"
    if [ "$3" = child ]; then # somebody is there to answer for all it may meet
        cp "$work/faults" "$work/possible"
        return
    fi
    # Before main() nobody can answer: without memory for its own start the C library gives up. The first fcntl()
    # is ours, the last call before it blocks the signals.
    awk '$2 == "fcntl" { started = 1 } started' "$work/faults" >"$work/possible"
}

sweep() { # sweep NAME WHO: itself, or its child
    local verb n call fault name=$1 who=$2 before
    failat=("$FAILAT")
    [ "$who" = itself ] || failat+=(--child 1)
    for verb in ADD CHECK DEL GC; do
        list_faults $verb "$name" "$who"
        before=$((passed + failed))
        while read -r n call fault; do
            turn=$((turn + 1))
            [ $((turn % step)) = 0 ] && try $verb "$name" "$who" "$n" "$call" "$fault"
        done < <(cat "$work/possible")
        printf '%s %s (%s): %d of %d faults tried\n' "$name" $verb "$who" $((passed + failed - before)) \
            "$(wc -l <"$work/possible")"
    done
}

make_baseline
for part in "${parts[@]}"; do
    if [ "$part" = child ]; then
        sweep bridge child
    else
        sweep "$part" itself
    fi
done
close_sweep
