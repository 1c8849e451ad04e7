#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# examples.sh: every file of conf-examples as it stands: two containers, CHECK, what the file is there to show, STATUS
# and GC where the version has them, DEL, and nothing left.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CNI_BIN_DIR:=$PWD/bin}"
export CNI_BIN_DIR
. tests/lib/runtime.sh
. tests/lib/traffic.sh
enter_private_host "$0" "$@"
started=$(date +%s%N)
make_netns a && serve a 80
ports='{"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}], "ips": ["10.91.0.42"],
        "mac": "02:00:5e:10:00:01",
        "bandwidth": {"ingressRate": 80000000, "ingressBurst": 8000000, "egressRate": 40000000, "egressBurst": 4000000}}'

meet() { # each family that both have
    ping_from a "$b" && { [ -z "$b6" ] || ping_from a "$b6"; }
}
isolated() { ! inside a ping -n -q -c 1 -W 1 "$b" && ! inside a ping -n -q -c 1 -W 1 "$b6"; }
layer2() { # addresses of our own make the port carry traffic
    ip -n a addr add 198.51.100.1/24 dev eth0 && ip -n b addr add 198.51.100.2/24 dev eth0 && ping_from a 198.51.100.2
}
asked_for() { # capability arguments reach the right plugin
    [ "$a" = 10.91.0.42 ] && ip -n a -br link show eth0 | grep -q 02:00:5e:10:00:01
}
tuned() { # and both ways limited
    ip -n a link show eth0 | grep -q 'mtu 1400 .*qlen 2000' && [ "$(inside a cat /proc/sys/net/core/somaxconn)" = 500 ] &&
        tc qdisc show | grep -q 'htb 1: dev veth' && tc qdisc show | grep -q 'htb 1: dev bwp'
}
limited() { tc qdisc show | grep -q 'tbf 1: dev veth.* rate 80Mbit' && tc qdisc show | grep -q 'tbf 1: dev bwp.* rate 40Mbit'; }
loopback_up() { ip -n a link show lo | grep -q UP; }
gc_keeps() { # LIST IFNAME
    cni_gc "$1" a "$2" b "$2" && cni_check "$1" a /run/netns/a "$2" "$ports"
}
clean() {
    no_container_links a && no_host_veths && no_leases "$network" && no_nft_state "$network" "$a" "$b" &&
        [ -z "$(ip -br link show type ifb)$(find /run/cni/tuning -type f 2>/dev/null)" ]
}
port_answers() { fetch b "$gateway" 8080 a; }

for list in conf-examples/*.conflist; do
    name=$(basename "$list" .conflist)
    network=$(jq -r .name "$list")
    ifname=eth0
    [ "$network" != loopback ] || ifname=lo
    make_netns b
    grep -q '"1.1.0"' "$list" && check "$name: STATUS" cni_status "$list"
    check "$name: ADD" cni_add "$list" a /run/netns/a $ifname "$ports"
    a=$(address 4) gateway=$(gateway 4)
    check "$name: ADD of a second container" cni_add "$list" b /run/netns/b $ifname
    b=$(address 4) b6=$(address 6)
    case $network in
    loopback) check "$name: lo is up" loopback_up ;;
    layer-2) check "$name: containers meet" layer2 ;;
    isolated) check "$name: containers do not meet" isolated ;;
    *)
        check "$name: containers meet" meet
        check "$name: the host port answers" port_answers
        ;;
    esac
    [ "$network" != dual-stack ] || check "$name: the address and MAC asked for" asked_for
    [ "$network" != containerd-cri ] || check "$name: the limits asked for" limited
    [ "$network" != tuned-and-limited ] || check "$name: tuned and limited" tuned
    check "$name: CHECK" cni_check "$list" a /run/netns/a $ifname "$ports"
    grep -q '"1.1.0"' "$list" && check "$name: GC of what is valid takes nothing" gc_keeps "$list" "$ifname"
    check "$name: DEL" cni_del "$list" a /run/netns/a $ifname "$ports"
    ip netns del b
    check "$name: DEL after the namespace has gone" cni_del "$list" b '' $ifname
    check "$name: nothing left" clean
done
verdict "$started"
