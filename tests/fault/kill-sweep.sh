#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills a plugin as it enters its 1st, 2nd, … nth system call, until it gets through, and looks at what is left:
#   ADD killed, then DEL: nothing is left.        ADD killed, then ADD: works without a DEL between.
#   DEL killed, then DEL: nothing is left.        All the while another container goes on answering.
# Usage: [CNI_BIN_DIR=bin] [KILLAT=program] tests/fault/kill-sweep.sh [STEP]
#   STEP: try every STEPth call only (default 1). KILLAT: killat.cpp, built; otherwise it is compiled here.
# Runs in network and mount namespaces of its own. Closing line: 'N passed, N failed'.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
export CNI_BIN_DIR
step=${1:-1}

if [ "${SWEEP_INSIDE-}" != 1 ]; then
    SWEEP_INSIDE=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${KILLAT-}" ]; then
    KILLAT=$work/killat
    g++ -std=c++20 -O1 -o "$KILLAT" "$here/killat.cpp" || exit 1
fi
# shellcheck source=tests/fault/sweep.sh
. "$here/sweep.sh"

report() { # report WHAT N RESULT
    if [ "$3" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s, killed at system call %s\n' "$1" "$2"
        sed 's/^/    /' "$work/out" "$work/err" 2>/dev/null | head -20
        [ -s "$work/diff" ] && sed 's/^/    /' "$work/diff" | head -20
    fi
}

add_then_del() { # add_then_del NAME CONFIG PREPARE CLEANUP N: false when the ADD got through
    local name=$1 config=$2 prepare=$3 cleanup=$4 n=$5 through=0 result
    $prepare
    plugin "$name" ADD c1 "$config" "$KILLAT" "$n" && through=1
    plugin "$name" DEL c1 "$config" && $cleanup && clean
    result=$?
    report "$name ADD then DEL" "$n" $result
    [ $through = 0 ]
}

add_then_add() { # the same; nothing to ask once the runtime has its result
    local name=$1 config=$2 prepare=$3 cleanup=$4 n=$5 result
    $prepare
    plugin "$name" ADD c1 "$config" "$KILLAT" "$n"
    if [ ! -s "$work/out" ]; then
        plugin "$name" ADD c1 "$config" && plugin "$name" DEL c1 "$config" && $cleanup && clean
        result=$?
        report "$name ADD then ADD" "$n" $result
        [ $result = 0 ] && return
    fi
    plugin "$name" DEL c1 "$config"
    $cleanup
}

del_then_del() { # false when the DEL got through
    local name=$1 config=$2 prepare=$3 cleanup=$4 n=$5 through=0 result
    $prepare
    plugin "$name" ADD c1 "$config"
    plugin "$name" DEL c1 "$config" "$KILLAT" "$n" && through=1
    plugin "$name" DEL c1 "$config" && $cleanup && clean
    result=$?
    report "$name DEL then DEL" "$n" $result
    [ $through = 0 ]
}

sweep() { # sweep NAME CONFIG PREPARE CLEANUP: every STEPth call of ADD, then of DEL
    local n
    for ((n = 1; ; n += step)); do
        add_then_del "$@" $n || break
        # host-local alone cannot know that the second ADD is no duplicate; bridge, which can, asks it again.
        [ "$1" = host-local ] || add_then_add "$@" $n
    done
    printf '%s ADD: %d system calls\n' "$1" $((n - 1))
    for ((n = 1; ; n += step)); do
        del_then_del "$@" $n || break
    done
    printf '%s DEL: %d system calls\n' "$1" $((n - 1))
}

make_baseline
sweep host-local "$work/host-local.json" nothing nothing
sweep bridge "$work/bridge.json" nothing nothing
sweep portmap "$work/portmap.json" with_bridge without_bridge

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
