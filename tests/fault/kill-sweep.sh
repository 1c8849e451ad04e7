#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills a plugin as it enters its 1st, 2nd, … nth system call, until it gets through, and looks at what is left:
#   ADD killed, then DEL: nothing is left.        ADD killed, then ADD: works without a DEL between, and CHECK agrees.
#   ADD killed, then GC: nothing is left.         DEL killed, then DEL: nothing is left.
#   GC killed, then GC: nothing of the stale container is left.
#   CHECK killed: nothing has changed.            All the while another container goes on answering.
# Of bridge, which has a child, the IPAM plugin, four sweeps: bridge is killed at its own calls; at each call of the
# child the child alone (bridge tells and has undone everything), bridge alone, both.
# ADD on a host where no container has been yet: the next ADD works.
# Of a container on two networks the second ADD of portmap, and the DEL that hands its ports over.
# An ADD that takes up what a killed one left, lease included, is killed as well, itself and each of its children.
# Usage: [CNI_BIN_DIR=bin] [FAILAT=program] tests/fault/kill-sweep.sh [STEP [CHILD_STEP [PART…]]]
#   STEP: try every STEPth call only (default 1); of the child, on a fresh host, on two networks and for ADD then GC
#   every CHILD_STEPth.
#   PART: fresh, a plugin, child, parent, all, networks, recovery; default: each. FAILAT: failat.cpp, built; otherwise it
#   is compiled here.
# Runs in network and mount namespaces of its own. Closing line: 'N passed, N failed'.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
export CNI_BIN_DIR
step=${1:-1} child_step=${2:-1}
parts=" ${*:3} "
[ "$parts" != '  ' ] || parts=' fresh host-local bridge portmap firewall tuning bandwidth child parent all networks recovery '

if [ "${SWEEP_INSIDE-}" != 1 ]; then
    SWEEP_INSIDE=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

work=$(mktemp -d)
# shellcheck source=tests/fault/sweep.sh
. "$here/sweep.sh"
trap cleanup EXIT

report() { # report WHAT N RESULT
    if [ "$3" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL %s, killed at system call %s\n' "$1" "$2"
        sed 's/^/    /' "$work/out" "$work/err" 2>/dev/null | head -20
        [ -s "$work/diff" ] && sed 's/^/    /' "$work/diff" | head -20
        state >"$work/baseline" # what is left is told once
    fi
    : >"$work/diff"
}

# killed WHO N [CHILD]: the words before the plugin. WHO: itself; child, parent, all: at the Nth call of its (first)
# child
killed() {
    local child=${3:-1}
    case $1 in
    itself) prefix=("$FAILAT" "$2" KILL) ;;
    child) prefix=("$FAILAT" --child "$child" "$2" KILL) ;;
    parent) prefix=("$FAILAT" --child "$child" "$2" PARENT) ;;
    all) prefix=("$FAILAT" --child "$child" "$2" ALL) ;;
    esac
}

add_then_del() { # add_then_del NAME N: false when the ADD got through
    local name=$1 n=$2 through=0 result
    begin "$name"
    plugin "$name" ADD c1 "$work/$name.json" "${prefix[@]}" && through=1
    forget "$name"
    plugin "$name" DEL c1 "$work/$name.DEL" && finish "$name" && clean
    result=$?
    report "$name ADD ($who) then DEL" "$n" $result
    [ $through = 0 ]
}

add_then_gc() { # the same; the runtime has forgotten the container
    local name=$1 n=$2 through=0 result
    begin "$name"
    plugin "$name" ADD c1 "$work/$name.json" "${prefix[@]}" && through=1
    if [ $through = 0 ]; then
        plugin "$name" GC c1 "$work/$name.GC" && finish "$name" GC && clean
        result=$?
        report "$name ADD ($who) then GC" "$n" $result
        [ $result = 0 ] && return
    fi
    forget "$name"
    plugin "$name" DEL c1 "$work/$name.DEL"
    finish "$name"
}

add_then_add() { # the same, also where the result had been written; nothing to ask once the ADD got through
    local name=$1 n=$2 through=0 result
    begin "$name"
    plugin "$name" ADD c1 "$work/$name.json" "${prefix[@]}" && through=1
    if [ $through = 0 ]; then
        attach "$name" && plugin "$name" CHECK c1 "$work/$name.CHECK" && plugin "$name" DEL c1 "$work/$name.DEL" &&
            finish "$name" && clean
        result=$?
        report "$name ADD ($who) then ADD" "$n" $result
        [ $result = 0 ] && return
    fi
    forget "$name"
    plugin "$name" DEL c1 "$work/$name.DEL"
    finish "$name"
}

add_tells() { # the child alone is killed: the plugin says so and leaves nothing
    local name=$1 n=$2 through=0 result
    begin "$name"
    plugin "$name" ADD c1 "$work/$name.json" "${prefix[@]}" && through=1
    if [ $through = 0 ]; then
        told && finish "$name" && clean
        result=$?
        report "$name ADD ($who)" "$n" $result
    fi
    forget "$name"
    plugin "$name" DEL c1 "$work/$name.DEL"
    finish "$name"
    [ $through = 0 ]
}

again() { # again VERB NAME N: killed, then not; false when it got through the first time
    local verb=$1 name=$2 n=$3 through=0 result
    begin "$name"
    attach "$name"
    plugin "$name" "$verb" c1 "$work/$name.$verb" "${prefix[@]}" && through=1
    if [ $through = 0 ] && [ "$who" = child ] && ! told; then
        echo 'no error JSON' >"$work/diff"
        false
    else
        plugin "$name" "$verb" c1 "$work/$name.$verb" && finish "$name" "$verb" && clean
    fi
    result=$?
    report "$name $verb ($who) then $verb" "$n" $result
    [ $through = 0 ]
}

check_changes_nothing() { # check_changes_nothing NAME STEP: sweeps on one attachment
    local name=$1 by=$2 n through
    begin "$name"
    attach "$name"
    state >"$work/attached"
    for ((n = 1; ; n += by)); do
        killed "$who" $n
        through=0
        plugin "$name" CHECK c1 "$work/$name.CHECK" "${prefix[@]}" && through=1
        state >"$work/now"
        diff "$work/attached" "$work/now" >"$work/diff" && { [ $through = 1 ] || [ "$who" != child ] || told; } && answers
        report "$name CHECK ($who)" "$n" $?
        [ $through = 0 ] || break
    done
    plugin "$name" CHECK c1 "$work/$name.CHECK" && plugin "$name" DEL c1 "$work/$name.DEL" && finish "$name" && clean
    report "$name CHECK ($who), the endpoint afterwards" "$n" $?
    printf '%s CHECK, killed %s: %d system calls\n' "$name" "$who" $((n - 1))
}

sweep() { # sweep NAME WHO STEP
    local name=$1 by=$3 n
    who=$2
    for ((n = 1; ; n += by)); do
        killed "$who" $n
        if [ "$who" = child ]; then
            add_tells "$name" $n || break
        else
            add_then_del "$name" $n || break
            # host-local alone cannot know that the second ADD is no duplicate; bridge, which can, asks it again.
            [ "$name" = host-local ] || add_then_add "$name" $n
            ((n % child_step != 1 % child_step)) || add_then_gc "$name" $n
        fi
    done
    printf '%s ADD, killed %s: %d system calls\n' "$name" "$who" $((n - 1))
    local verb
    for verb in DEL GC; do
        for ((n = 1; ; n += by)); do
            killed "$who" $n
            again $verb "$name" $n || break
        done
        printf '%s %s, killed %s: %d system calls\n' "$name" $verb "$who" $((n - 1))
    done
    check_changes_nothing "$name" "$by"
}

leave_a_lease() { # an ADD of bridge, killed when its child has leased; bridge may be faster and get through
    while plugin bridge ADD c1 "$work/bridge.json" "$FAILAT" --child 1 "$last" PARENT || [ -s "$work/out" ]; do
        forget bridge
        plugin bridge DEL c1 "$work/bridge.DEL"
    done
}

# The ADD after that: the duplicate is refused to it (its first child), released (the second), leased anew (the third).
sweep_recovery() { # sweep_recovery STEP
    local by=$1 n child through last
    plugin bridge ADD c1 "$work/bridge.json" "$FAILAT" --child 1 list "$work/calls"
    last=$(($(tail -1 "$work/calls" | cut -d' ' -f1) - 1))
    forget bridge
    plugin bridge DEL c1 "$work/bridge.DEL"
    who='itself, after a killed ADD'
    for ((n = 1; ; n += by)); do
        leave_a_lease
        killed itself $n
        add_then_del bridge $n || break
    done
    printf 'bridge ADD after a killed ADD, killed itself: %d system calls\n' $((n - 1))
    for child in 1 2 3; do
        who="child $child, after a killed ADD"
        for ((n = 1; ; n += by)); do
            leave_a_lease
            killed child $n $child
            add_tells bridge $n || break
        done
        printf 'bridge ADD after a killed ADD, killed child %d: %d system calls\n' $child $((n - 1))
    done
}

# A container on two networks that ask for the same ports: its second ADD, and the DEL that hands the ports over.
sweep_networks() { # sweep_networks STEP
    local by=$1 n through verb
    who='itself, on two networks'
    for verb in ADD DEL; do
        for ((n = 1; ; n += by)); do
            killed itself $n
            through=0
            begin portmap
            jq -c '.name = "net2"' "$work/portmap.json" >"$work/second.json"
            plugin portmap ADD c1 "$work/portmap.json"
            if [ $verb = ADD ]; then
                plugin portmap ADD c1 "$work/second.json" "${prefix[@]}" && through=1
                [ $through = 1 ] || plugin portmap ADD c1 "$work/second.json"
            else
                plugin portmap ADD c1 "$work/second.json"
                plugin portmap DEL c1 "$work/portmap.json" "${prefix[@]}" && through=1
            fi
            plugin portmap DEL c1 "$work/portmap.json" && has_ports net2 && plugin portmap DEL c1 "$work/second.json" &&
                finish portmap && clean
            report "portmap $verb ($who) then DEL" $n $?
            [ $through = 0 ] || break
        done
        printf 'portmap %s, killed %s: %d system calls\n' $verb "$who" $((n - 1))
    done
}

has_ports() { # has_ports NETWORK: c1's, and whole
    local set found=0
    for set in hostports4 hostports6; do
        found=$((found + $(nft list map inet cnative $set | grep -o "comment \"$1/c1/eth0\"" | wc -l)))
    done
    [ $found = 4 ] || { echo "$found of 4 elements lead to $1" >"$work/diff" && false; }
}

# The host as it was before its first container.
wipe() {
    ip link del br0 2>/dev/null
    nft flush ruleset
    rm -rf /var/lib/cni/networks /var/lib/cni/.cnative
    echo 0 >/proc/sys/net/ipv4/ip_forward
    echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
}

sweep_fresh_host() { # sweep_fresh_host NAME STEP: ADD killed, then ADD
    local name=$1 by=$2 n through
    who=itself
    for ((n = 1; ; n += by)); do
        killed itself $n
        through=0
        begin "$name"
        plugin "$name" ADD c1 "$work/$name.json" "${prefix[@]}" && through=1
        if [ $through = 0 ]; then
            attach "$name" && plugin "$name" CHECK c1 "$work/$name.CHECK" &&
                ip netns exec c1 ping -c 1 -W 2 -q 10.9.0.1 >/dev/null && plugin "$name" DEL c1 "$work/$name.DEL"
            report "$name ADD on a fresh host, then ADD" "$n" $?
        fi
        forget "$name"
        plugin "$name" DEL c1 "$work/$name.DEL"
        finish "$name"
        wipe
        [ $through = 0 ] || break
    done
    printf '%s ADD on a fresh host: %d system calls\n' "$name" $((n - 1))
}

asked() { case $parts in *" $1 "*) ;; *) false ;; esac; }

: >"$work/diff"
wipe
if asked fresh; then
    for name in bridge portmap firewall; do
        sweep_fresh_host $name "$child_step"
    done
fi

make_baseline
for name in host-local bridge portmap firewall tuning bandwidth; do
    ! asked $name || sweep $name itself "$step"
done
for by in child parent all; do
    ! asked $by || sweep bridge $by "$child_step"
done
! asked networks || sweep_networks "$child_step"
! asked recovery || sweep_recovery "$child_step"
close_sweep
