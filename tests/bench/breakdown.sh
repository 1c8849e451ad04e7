#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# breakdown.sh [RUNS [REPORT.md]]: where the time of one chain ADD and DEL goes, by system call: medians over RUNS (default 40) calls
# under `strace -T --seccomp-bpf`, which stops only at the calls listed. The time of a call is the kernel's; what is
# between calls is the plugin's own, and the start of the process before the first.
# Prints a Markdown table, and puts it into the report between its marker lines. Usage: [CNI_BIN_DIR=bin]
# tests/bench/breakdown.sh. Works in namespaces of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
CNI_BIN_DIR=$(cd "${CNI_BIN_DIR:-bin}" && pwd)
export CNI_BIN_DIR
# shellcheck source=tests/lib/runtime.sh
. tests/lib/runtime.sh
enter_private_host "$0" "$@"
runs=${1:-40} report=${2-}

cat >/run/bridge.json <<'X'
{"cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"br0","isDefaultGateway":true,"ipMasq":true,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.0.0/16"}],[{"subnet":"fd09::/64"}]]}}
X
calls=socketpair,sendto,sendmsg,recvfrom,recvmsg,close,setns,vfork,clone,clone3,wait4,waitid,poll,openat,write,fsync,renameat,flock,socket,unlinkat

# What a line of strace is about: the call, for netlink the message, the time.
read_trace() { # VERB PLUGIN <trace
    sed -nE 's/^([a-z0-9_]+)\((.*)<([0-9.]+)>$/\1\t\3\t\2/p' | awk -F '\t' -v verb="$1" -v plugin="$2" '
        function last_word(text) { sub(/.*(RTM_|NFT_MSG_|NFNL_MSG_)/, "", text); return text }
        function message(text) {
            if (match(text, /nlmsg_type=[A-Za-z0-9_<|]*(RTM_[A-Z]+|NFT_MSG_[A-Z]+|NFNL_MSG_BATCH_BEGIN)/))
                return " " last_word(substr(text, RSTART, RLENGTH))
            if (match(text, /nlmsg_type=0x[0-9a-f]+/)) return " " names[substr(text, RSTART + 11, RLENGTH - 11)]
            return ""
        }
        BEGIN {
            names["0x10"] = "NEWLINK"; names["0x11"] = "DELLINK"; names["0x12"] = "GETLINK"; names["0x13"] = "SETLINK"
            names["0x14"] = "NEWADDR"; names["0x16"] = "GETADDR"; names["0x18"] = "NEWROUTE"; names["0x1a"] = "GETROUTE"
            names["0x1d"] = "DELNEIGH"
        }
        { time[$1 ($1 ~ /^send/ ? message($3) : "")] += $2 * 1e6; number[$1 ($1 ~ /^send/ ? message($3) : "")]++ }
        END { for (what in time) printf "%s %s\t%s\t%d\t%.0f\n", verb, plugin, what, number[what], time[what] }'
}

traced() { # VERB PLUGIN ID CONFIG
    CNI_COMMAND=$1 CNI_CONTAINERID=$3 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CNI_BIN_DIR \
        strace -f --seccomp-bpf -T -e trace="$calls" -o /run/trace "$CNI_BIN_DIR/$2" <"$4" >/run/out
    sed -E 's/^[0-9]+ +//' /run/trace | read_trace "$1" "$2" >>/run/samples
}

ip netns add c1
for ((run = 0; run < runs; ++run)); do
    traced ADD bridge "c$run" /run/bridge.json
    jq -c '{cniVersion, name: "net", type: "portmap", prevResult: ., runtimeConfig: {portMappings:
        [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]}}' /run/out >/run/portmap.json
    traced ADD portmap "c$run" /run/portmap.json
    traced DEL portmap "c$run" /run/portmap.json
    jq -c --slurpfile p /run/portmap.json '. + {prevResult: $p[0].prevResult}' /run/bridge.json >/run/bridge.del
    traced DEL bridge "c$run" /run/bridge.del
done

table() {
    echo '| call | system call | times | µs |'
    echo '|---|---|---|---|'
    sort -t $'\t' -k1,1 -k2,2 -k4,4n /run/samples | awk -F '\t' '
    function flush() { if (n) printf "%s\t%s\t%d\t%d\n", call, what, count, value[int((n + 1) / 2)] }
    $1 != call || $2 != what { flush(); n = 0; call = $1; what = $2 }
    { value[++n] = $4; count = $3 }
    END { flush() }' | sort -t $'\t' -k1,1 -k4,4nr | awk -F '\t' '$4 >= 10 { print "| " $1 " | " $2 " | " $3 " | " $4 " |" }'
}

table | tee /run/table
[ -z "$report" ] || {
    awk 'FNR == NR { table = table $0 "\n"; next }
        /^<!-- end of breakdown -->$/ { skip = 0 }
        !skip { print }
        /^<!-- breakdown -->$/ { printf "%s", table; skip = 1 }' /run/table "$report" >/run/report
    cat /run/report >"$report"
}
