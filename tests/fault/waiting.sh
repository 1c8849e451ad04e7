#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that a plugin waits for never comes: each call has to end by itself, with an error that says what it waited
# for, and an ADD so ended leaves nothing. All at once, as it takes the longest wait of all, a minute and a half.
# Usage: [CNI_BIN_DIR=bin] [FAILAT=program] tests/fault/waiting.sh. Closing line: 'N passed, N failed'.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
if [ "${SWEEP_INSIDE-}" != 1 ]; then
    SWEEP_INSIDE=1 exec unshare --net --mount --pid --fork --mount-proc --propagation private -- bash "$0" "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/cni /run/netns
mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
if [ -z "${FAILAT-}" ]; then
    FAILAT=$work/failat
    g++ -std=c++20 -O1 -o "$FAILAT" "$here/failat.cpp" || exit 1
fi

# An IPAM plugin that never answers, and one that also ignores a request to end.
mkdir "$work/plugins"
printf '#!/bin/sh\nexec sleep 1000\n' >"$work/plugins/stuck"
printf '#!/bin/sh\ntrap "" TERM INT HUP\nwhile :; do sleep 1; done\n' >"$work/plugins/deaf"
chmod +x "$work/plugins/"*

# call NAME PLUGIN VERB LIMIT [prefix words…]: the network NAME; stdin and stdout are the caller's. What it took, in
# seconds, is in NAME.took; a call that is not over after LIMIT seconds is killed (status 137).
call() {
    local name=$1 plugin=$2 verb=$3 limit=$4 status=0 begin=$SECONDS
    shift 4
    CNI_COMMAND=$verb CNI_CONTAINERID=$name CNI_NETNS=/run/netns/$name CNI_IFNAME=eth0 \
        CNI_PATH=$CNI_BIN_DIR:$work/plugins timeout -s KILL "$limit" "$@" "$CNI_BIN_DIR/$plugin" || status=$?
    echo $((SECONDS - begin)) >"$work/$name.took"
    return $status
}

config() { # config NAME IPAM [more keys]
    cat <<X
{"cniVersion":"1.0.0","name":"$1","type":"bridge","bridge":"br-$1","isGateway":true,"ipMasq":true${3-},
 "ipam":{"type":"$2","ranges":[[{"subnet":"10.9.0.0/24"}]]}}
X
}

nothing_left() { # nothing_left NAME
    local left
    left=$(
        find "/var/lib/cni/networks/$1" -name '10.*' 2>/dev/null
        ip -o link show type veth | grep "cnative:$1/"
        nft list ruleset | grep "\"$1/"
    )
    [ -z "$left" ] || { echo "left: $left" && false; }
}

says() { # says NAME CODE TEXT: NAME.out is one error document with these
    jq -es --arg text "$3" --argjson code "$2" \
        'length == 1 and .[0].code == $code and ((.[0].msg + .[0].details) | contains($text))' "$work/$1.out" >/dev/null ||
        { echo "said: $(cat "$work/$1.out")" && false; }
}

# ---- the cases: each gets its name, which is its network, container and namespace

stdin_that_never_closes() { # a config, then nothing
    local status=0
    mkfifo "$work/$1.pipe"
    exec 7<>"$work/$1.pipe"
    config "$1" host-local >&7
    call "$1" bridge ADD 60 <&7 >"$work/$1.out" || status=$?
    [ "$status" = 1 ] && says "$1" 5 'no end of file within 30 s' && nothing_left "$1"
}

stdout_that_nobody_reads() { # a pipe that is full already
    local status=0
    mkfifo "$work/$1.pipe"
    exec 8<>"$work/$1.pipe"
    dd if=/dev/zero of="$work/$1.pipe" bs=4096 oflag=nonblock 2>/dev/null
    config "$1" host-local | call "$1" bridge ADD 60 >"$work/$1.pipe" 2>"$work/$1.out" || status=$?
    [ "$status" = 1 ] && grep -q 'could not be written to stdout' "$work/$1.out" && nothing_left "$1"
}

stderr_that_nobody_reads() { # two warnings into a full pipe: the call goes on without
    local status=0
    mkfifo "$work/$1.pipe"
    exec 9<>"$work/$1.pipe"
    dd if=/dev/zero of="$work/$1.pipe" bs=4096 oflag=nonblock 2>/dev/null
    config "$1" host-local ',"isGatewy":1,"ipMsq":1' | call "$1" bridge ADD 20 >"$work/$1.out" 2>"$work/$1.pipe" || status=$?
    [ "$status" = 0 ] && jq -e '.ips | length == 1' "$work/$1.out" >/dev/null
}

ipam_plugin_that_never_answers_ADD() { # runtimes give the call 120 s, and would not hear whose fault it was
    local status=0
    config "$1" stuck | call "$1" bridge ADD 110 >"$work/$1.out" || status=$?
    [ "$status" = 1 ] && says "$1" 999 "wait for $work/plugins/stuck: timed out" && nothing_left "$1"
}

ipam_plugin_that_never_answers_DEL() { # what is not the IPAM plugin's is gone all the same
    local status=0
    config "$1" host-local | call "$1" bridge ADD 60 >"$work/$1.out"
    config "$1" stuck | call "$1" bridge DEL 60 >"$work/$1.out" || status=$?
    rm "/var/lib/cni/networks/$1/"10.*
    [ "$status" = 1 ] && says "$1" 999 "wait for $work/plugins/stuck: timed out" && nothing_left "$1"
}

ipam_plugin_that_ignores_SIGTERM() {
    local status=0
    config "$1" deaf | call "$1" bridge ADD 25 timeout --preserve-status -s TERM 1 >"$work/$1.out" || status=$?
    [ "$status" = 1 ] && says "$1" 999 SIGTERM && nothing_left "$1"
}

# hold_lock NAME: a host-local of NAME stopped as soon as it has the lock; its pid in NAME.holder
hold_lock() {
    local n pid
    for ((n = 20; n < 200; ++n)); do
        config "$1" host-local | CNI_COMMAND=ADD CNI_CONTAINERID=holder CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/ \
            "$FAILAT" "$n" STOP "$CNI_BIN_DIR/host-local" >"$work/$1.pid"
        pid=$(cat "$work/$1.pid")
        grep -q "FLOCK *ADVISORY *WRITE $pid " /proc/locks && echo "$pid" >"$work/$1.holder" && return
        kill -KILL "$pid"
    done
    echo 'host-local takes no lock' && return 1
}

lock_of_a_stopped_process() {
    local status=0
    hold_lock "$1" || return
    config "$1" host-local | call "$1" host-local ADD 25 >"$work/$1.out" || status=$?
    [ "$status" = 1 ] && says "$1" 11 "timed out, held by pid $(cat "$work/$1.holder") (host-local)"
}

lock_of_a_stopped_process_under_bridge() { # once: nothing was made, so nothing is released
    local status=0
    hold_lock "$1" || return
    config "$1" host-local | call "$1" bridge ADD 25 >"$work/$1.out" || status=$?
    [ "$status" = 1 ] && says "$1" 11 "timed out, held by pid $(cat "$work/$1.holder") (host-local)" &&
        kill -KILL "$(cat "$work/$1.holder")" && nothing_left "$1"
}

number=0 cases=() pids=()
begin_case() {
    number=$((number + 1))
    local name=w$number
    cases+=("$1") && ip netns add $name
    "$1" $name >"$work/$name.why" 2>&1 &
    pids+=($!)
}
passed=0 failed=0
for case in lock_of_a_stopped_process lock_of_a_stopped_process_under_bridge \
    stdin_that_never_closes stdout_that_nobody_reads stderr_that_nobody_reads \
    ipam_plugin_that_never_answers_ADD ipam_plugin_that_never_answers_DEL ipam_plugin_that_ignores_SIGTERM; do
    begin_case $case
done
for ((i = 0; i < number; ++i)); do
    name=w$((i + 1))
    if wait "${pids[i]}"; then
        passed=$((passed + 1)) && printf 'ok   %s: over after %s s\n' "${cases[i]}" "$(cat "$work/$name.took")"
    else
        failed=$((failed + 1)) && printf 'FAIL %s, after %s s: %s\n' "${cases[i]}" "$(cat "$work/$name.took" 2>/dev/null)" \
            "$(cat "$work/$name.why")"
    fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
