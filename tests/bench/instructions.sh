#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# instructions.sh [--write]: counts the user-space instructions of calls that matter (callgrind) and compares them with
# instructions.txt. More than 5 % above fails: then make it faster, or write the new figures in the same commit and say
# why. The last line is 'N passed, N failed'.
#
# The same counts come out on another machine because: callgrind shows programs a processor of its own; the C library
# is told to do without what only some have; paths are the same ones, mounted; files and links exist before what is
# counted. What the C library's start still differs by is taken out: it is measured too, with a program that does
# nothing else (the floor program), and the limits are shifted by the difference from what it took on record.
set -u
here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
floor=$(cd "${FLOOR_DIR:-$here/../../build/tests/bench/plugins}" && pwd)
figures=$here/instructions.txt
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: instructions.txt is of x86_64" && echo "0 passed, 0 failed, 1 skipped" && exit; }
if [ "${INSTRUCTIONS_INSIDE-}" != 1 ]; then
    INSTRUCTIONS_INSIDE=1 CNI_BIN_DIR=$CNI_BIN_DIR FLOOR_DIR=$floor exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/bin /run/floor /var/lib/cni
cp -L "$floor/loopback" /run/floor/
mount --bind "$CNI_BIN_DIR" /run/bin
cd /run || exit 1
mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
ip netns add c1
cat >/run/bridge.json <<'X'
{"cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"br0","isDefaultGateway":true,"ipMasq":true,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.0.0/24"}],[{"subnet":"fd09::/64"}]]}}
X

# Functions that exist in several variants are chosen by these: the oldest are taken, which every x86-64 has.
plain=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-BMI2,-LZCNT,-MOVBE,-RTM,-ERMS,-FSRM,-SSE4_2,-SSE4_1,-SSSE3,-XSAVE,-XSAVEC

call() { # VERB FOLDER/PLUGIN [WRAPPER…]
    local verb=$1 plugin=$2
    shift 2
    env -i PATH="$PATH" GLIBC_TUNABLES=glibc.cpu.hwcaps=$plain CNI_COMMAND="$verb" CNI_CONTAINERID=c1 \
        CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/run/bin "$@" "/run/$plugin" </run/bridge.json
}
count() { # the instructions of one call, its children not included
    call "$1" "$2" valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=/run/log >/dev/null
    sed -n 's/.*Collected : //p' /run/log
}

measure() {
    local plugin
    echo "start-up $(count VERSION floor/loopback)"
    for plugin in bin/*; do
        echo "VERSION-${plugin#bin/} $(count VERSION "$plugin")"
    done
    call ADD bin/host-local >/dev/null && call DEL bin/host-local >/dev/null # index and files are there from here on
    echo "ADD-host-local $(count ADD bin/host-local)"
    echo "DEL-host-local $(count DEL bin/host-local)"
    call ADD bin/bridge >/dev/null && call DEL bin/bridge >/dev/null
    echo "ADD-bridge $(count ADD bin/bridge)"
    echo "DEL-bridge $(count DEL bin/bridge)"
}

measure >/run/now
if [ "${1-}" = --write ]; then
    cp /run/now "$figures"
    cat "$figures"
    exit
fi
awk 'NR == FNR { before[$1] = $2; next }
    $1 == "start-up" && $2 > 0 && before[$1] > 0 { shift = $2 - before[$1]; printf "     start-up: %d instructions, %d on record\n", $2, before[$1]; next }
    { seen[$1] = 1; limit = before[$1] * 1.05 + shift
      if ($2 == "" || before[$1] == "" || $2 > limit) { verdict = "FAIL"; failed++ } else { verdict = "ok"; passed++ }
      printf "%-4s %s: %d instructions, %d on record, limit %d\n", verdict, $1, $2, before[$1], limit }
    END { for (name in before) if (name != "start-up" && !(name in seen)) { print "FAIL " name ": not measured"; failed++ }
        printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }' "$figures" /run/now
