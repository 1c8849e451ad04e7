#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# valgrind.sh FOLDER: one chain (bridge with host-local, dual stack, masquerade, MAC spoof check; portmap with two ports;
# firewall, tuning, bandwidth) under memcheck: ADD, CHECK, a second ADD that is refused, GC, DEL, each with the IPAM
# plugin. FOLDER: plugins linked dynamically. Whatever memcheck reports, a leak too, is a failed case.
# Last line: 'N passed, N failed'.
set -uo pipefail
CNI_BIN_DIR=$(cd "$1" && pwd) || exit 1
if [ "${VALGRIND_INSIDE-}" != 1 ]; then
    VALGRIND_INSIDE=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/cni /run/netns
mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
ip netns add c1
passed=0 failed=0

cat >"$work/bridge.json" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"bridge","bridge":"br0","isDefaultGateway":true,"ipMasq":true,
 "macspoofchk":true,"hairpinMode":true,"cni.dev/valid-attachments":[],
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.0.0/24"}],[{"subnet":"fd09::/64"}]]}}
X
cat >"$work/portmap.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"portmap","snat":true,"cni.dev/valid-attachments":[],
 "runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
 {"hostPort":8053,"containerPort":53,"protocol":"udp"}]}}
X
cat >"$work/firewall.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"firewall","ingressPolicy":"isolated","cni.dev/valid-attachments":[]}
X
cat >"$work/tuning.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"tuning","mtu":1400,"promisc":true,"cni.dev/valid-attachments":[],
 "sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}}
X
cat >"$work/bandwidth.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"bandwidth","ingressRate":80000000,"ingressBurst":8000000,
 "egressRate":80000000,"egressBurst":8000000,"unshapedSubnets":["10.8.0.0/16"],"cni.dev/valid-attachments":[]}
X
chained=(portmap firewall tuning bandwidth)

call() { # call PLUGIN VERB CONFIG EXPECTED_STATUS
    local status=0 reports
    rm -f "$work"/report.*
    CNI_COMMAND=$2 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CNI_BIN_DIR \
        valgrind -q --trace-children=yes --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99 \
        --log-file="$work/report.%p" \
        "$CNI_BIN_DIR/$1" <"$3" >"$work/out" 2>"$work/err" || status=$?
    # All but what valgrind says about itself.
    reports=$(grep -hs '^==' "$work"/report.* | grep -vE 'unhandled ioctl|could cause spurious|README_MISSING')
    if [ "$status" = "$4" ] && [ -z "$reports" ]; then
        echo "ok   $1 $2"
        passed=$((passed + 1))
        return
    fi
    echo "FAIL $1 $2: exit $status"
    printf '%s\n' "$reports" | head -60 | sed 's/^/     /'
    sed 's/^/     /' "$work/out" "$work/err"
    failed=$((failed + 1))
}

result_into() { jq -c --slurpfile r "$work/out" '.prevResult = $r[0]' "$1" >"$2"; }

iptables -P FORWARD DROP # what firewall has to get past
for round in 'DEL' 'GC'; do
    call bridge ADD "$work/bridge.json" 0
    for name in "${chained[@]}"; do
        result_into "$work/$name.base" "$work/$name.json"
        call "$name" ADD "$work/$name.json" 0
    done
    for name in bridge "${chained[@]}"; do
        result_into "$work/$name.json" "$work/$name.check"
    done
    for name in bridge "${chained[@]}"; do
        call "$name" CHECK "$work/$name.check" 0
    done
    call bridge ADD "$work/bridge.json" 1
    for name in "${chained[@]}" bridge; do
        call "$name" $round "$work/$name.check" 0
    done
done
call bridge STATUS "$work/bridge.json" 0
for name in "${chained[@]}"; do
    call "$name" STATUS "$work/$name.base" 0
done
left=$(find /var/lib/cni/networks/net -name '10.*'; find /run/cni -type f; ip -o link show type veth
    ip -o link show type ifb; nft list ruleset | grep net/c1)
[ -z "$left" ] && echo 'ok   nothing is left' && passed=$((passed + 1))
[ -z "$left" ] || { echo "FAIL something is left: $left" && failed=$((failed + 1)); }

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
