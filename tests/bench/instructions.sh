#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# instructions.sh [--write]: counts the user-space instructions of calls that matter (callgrind: the same total every
# time) and compares them with instructions.txt. More than 5 % above fails: then make it faster, or write the new
# figures in the same commit and say why. The last line is 'N passed, N failed'.
set -u
here=$(cd "$(dirname "$0")" && pwd)
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-$here/../../bin}" && pwd)
figures=$here/instructions.txt
if [ "${INSTRUCTIONS_INSIDE-}" != 1 ]; then
    INSTRUCTIONS_INSIDE=1 CNI_BIN_DIR=$CNI_BIN_DIR exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /var/lib/cni
mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
ip netns add c1
cat >/run/bridge.json <<'X'
{"cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"br0","isDefaultGateway":true,"ipMasq":true,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.0.0/24"}],[{"subnet":"fd09::/64"}]]}}
X

call() { # VERB PLUGIN [WRAPPER…]
    local verb=$1 plugin=$2
    shift 2
    env -i PATH="$PATH" CNI_COMMAND="$verb" CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 \
        CNI_PATH="$CNI_BIN_DIR" "$@" "$CNI_BIN_DIR/$plugin" </run/bridge.json
}
count() { # the instructions of one call, its children not included
    call "$1" "$2" valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=/run/log >/dev/null
    sed -n 's/.*Collected : //p' /run/log
}

measure() {
    local plugin
    for plugin in bridge host-local portmap loopback; do
        echo "VERSION-$plugin $(count VERSION "$plugin")"
    done
    call ADD host-local >/dev/null && call DEL host-local >/dev/null # the index and the files are there from here on
    echo "ADD-host-local $(count ADD host-local)"
    echo "DEL-host-local $(count DEL host-local)"
    call ADD bridge >/dev/null && call DEL bridge >/dev/null
    echo "ADD-bridge $(count ADD bridge)"
    echo "DEL-bridge $(count DEL bridge)"
}

measure >/run/now
if [ "${1-}" = --write ]; then
    cp /run/now "$figures"
    cat "$figures"
    exit
fi
awk 'NR == FNR { before[$1] = $2; next }
    { limit = before[$1] * 1.05
      if ($2 == "" || before[$1] == "" || $2 > limit) { verdict = "FAIL"; failed++ } else { verdict = "ok"; passed++ }
      printf "%-4s %s: %d instructions, %d on record\n", verdict, $1, $2, before[$1] }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }' "$figures" /run/now
