#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes each system call of ADD, DEL and CHECK go wrong once with each errno that its manual page knows, and with a
# SIGTERM, and looks at what came of it:
#   success: everything is in place (ADD: CHECK agrees; DEL: nothing is left);
#   failure: exit status 1, one error JSON with code and msg, and after a failed ADD nothing is left without any DEL.
# After a failed DEL the next one succeeds. All the while another container goes on answering.
# Usage: [CNI_BIN_DIR=bin] [FAILAT=program] tests/fault/error-sweep.sh [STEP [FIRST]]
#   Every STEPth fault from the FIRSTth on (default 1 1). FAILAT: failat.cpp, built; otherwise it is compiled here.
# Runs in network and mount namespaces of its own. Closing line: 'N passed, N failed'.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
export CNI_BIN_DIR
step=${1:-1} turn=$((0 - ${2:-1}))

if [ "${SWEEP_INSIDE-}" != 1 ]; then
    SWEEP_INSIDE=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${FAILAT-}" ]; then
    FAILAT=$work/failat
    g++ -std=c++20 -O1 -o "$FAILAT" "$here/failat.cpp" || exit 1
fi
# shellcheck source=tests/fault/sweep.sh
. "$here/sweep.sh"

# A failure that says why: one JSON document with a code and a message. When stdout itself fails, stderr has to do.
told() {
    jq -es 'length == 1 and .[0].code > 0 and (.[0].msg | length) > 0' "$work/out" >/dev/null 2>&1 ||
        { [ ! -s "$work/out" ] && grep -q 'could not be written to stdout' "$work/err"; }
}

judge() { # judge VERB NAME CONFIG N FAULT STATUS: the state as it must be now
    local verb=$1 name=$2 config=$3 n=$4 fault=$5 status=$6 succeeded=0
    if [ "$status" = 0 ]; then
        succeeded=1
    elif [ "$status" != 1 ] || ! told; then
        echo "status $status, and no error JSON" >"$work/why"
        return 1
    fi
    case $verb$succeeded in
    ADD1)
        cp "$work/out" "$work/result"
        jq -c --slurpfile r "$work/result" '.prevResult = $r[0]' "$config" >"$work/check.json"
        plugin "$name" CHECK c1 "$work/check.json" || { echo "CHECK disagrees: $(cat "$work/out")" >"$work/why"; return 1; }
        plugin "$name" DEL c1 "$config"
        ;;
    DEL0) plugin "$name" DEL c1 "$config" || { echo "the next DEL fails: $(cat "$work/out")" >"$work/why"; return 1; } ;;
    CHECK*) plugin "$name" DEL c1 "$config" ;;
    esac
}

try() { # try VERB NAME CONFIG PREPARE CLEANUP N CALL FAULT
    local verb=$1 name=$2 config=$3 prepare=$4 cleanup=$5 n=$6 call=$7 fault=$8 status=0 input=$3
    $prepare
    if [ "$verb" != ADD ]; then
        plugin "$name" ADD c1 "$config"
        if [ "$verb" = CHECK ]; then
            jq -c --slurpfile r "$work/out" '.prevResult = $r[0]' "$config" >"$work/check.json"
            input=$work/check.json
        fi
    fi
    : >"$work/why"
    plugin "$name" "$verb" c1 "$input" timeout 60 "$FAILAT" "$n" "$fault" || status=$?
    cp "$work/out" "$work/first.out"
    if judge "$verb" "$name" "$config" "$n" "$fault" "$status" && $cleanup && clean; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAIL %s %s: %s at system call %d (%s): exit %d %s\n' "$name" "$verb" "$fault" "$n" "$call" "$status" \
        "$(tr -d '\n' <"$work/first.out")"
    sed 's/^/    /' "$work/why"
    [ -s "$work/diff" ] && sed 's/^/    /' "$work/diff" | head -20
    plugin "$name" DEL c1 "$config"
    $cleanup
    state >"$work/baseline" # what is left is told once
}

sweep() { # sweep NAME CONFIG PREPARE CLEANUP
    local verb n call fault name=$1 config=$2 prepare=$3 cleanup=$4
    for verb in ADD CHECK DEL; do
        $prepare
        local input=$config
        [ $verb = ADD ] || plugin "$name" ADD c1 "$config"
        if [ $verb = CHECK ]; then
            jq -c --slurpfile r "$work/out" '.prevResult = $r[0]' "$config" >"$work/check.json"
            input=$work/check.json
        fi
        plugin "$name" $verb c1 "$input" "$FAILAT" list "$work/faults" || { echo "FAIL $name $verb: $(cat "$work/out")"; failed=$((failed + 1)); }
        [ $verb = DEL ] || plugin "$name" DEL c1 "$config"
        $cleanup
        # Before main() nobody can answer: without memory for its own start the C library gives up. The first fcntl()
        # is ours, the last call before it blocks the signals.
        awk '$2 == "fcntl" { started = 1 } started' "$work/faults" >"$work/possible"
        local before=$((passed + failed))
        while read -r n call fault; do
            turn=$((turn + 1))
            [ $((turn % step)) = 0 ] && try $verb "$name" "$config" "$prepare" "$cleanup" "$n" "$call" "$fault"
        done < <(cat "$work/possible")
        printf '%s %s: %d of %d faults tried\n' "$name" $verb $((passed + failed - before)) "$(wc -l <"$work/possible")"
    done
}

make_baseline
sweep host-local "$work/host-local.json" nothing nothing
sweep bridge "$work/bridge.json" nothing nothing
sweep portmap "$work/portmap.json" with_bridge without_bridge

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
