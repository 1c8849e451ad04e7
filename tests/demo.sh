#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh LIST: the main job on the shipped conflist, in namespaces made for it. A "host" with an uplink, an "outside"
# host at the other end of it, and two containers on the host's bridge:
#
#   outside 192.0.2.2 ──── 192.0.2.1 host ── bridge ─┬─ c1, serves port 80; host port 8080 (tcp), 5353 (udp)
#           2001:db8::2    2001:db8::1               └─ c2
#
# Every check is one line 'ok …' or 'FAIL …'; the exit status is 0 when all are ok.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CNI_BIN_DIR:=$PWD/bin}"
export CNI_BIN_DIR
. tests/lib/runtime.sh
. tests/lib/traffic.sh
list=${1:-conf-examples/10-bridge-portmap.conflist}
enter_private_host "$0" "$@"
started=$(date +%s%N)
network=$(jq -r .name "$list")

# Addresses by family.
uplink=([4]=192.0.2.1 [6]=2001:db8::1) outside=([4]=192.0.2.2 [6]=2001:db8::2)
ports='{"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                         {"hostPort": 5353, "containerPort": 53, "protocol": "udp"}]}'

title "The host, with an uplink to the outside host"
make_netns outside
ip link add uplink type veth peer name eth0 netns outside
ip addr add "${uplink[4]}/24" dev uplink && ip addr add "${uplink[6]}/64" dev uplink nodad
ip -n outside addr add "${outside[4]}/24" dev eth0 && ip -n outside addr add "${outside[6]}/64" dev eth0 nodad
ip link set uplink up && ip -n outside link set eth0 up
serve outside 7000
ip -br addr show uplink

title "ADD: two containers, $list"
make_netns c1 && make_netns c2
CNI_SHOW=1
check "ADD c1 with host ports 8080/tcp and 5353/udp" cni_add "$list" c1 /run/netns/c1 eth0 "$ports"
c1=([4]=$(address 4) [6]=$(address 6)) gateway=([4]=$(gateway 4) [6]=$(gateway 6))
check "ADD c2" cni_add "$list" c2 /run/netns/c2 eth0
c2=([4]=$(address 4) [6]=$(address 6))
CNI_SHOW=0
[ "$failed" = 0 ] || verdict "$started" # the rest would only repeat it
serve c1 80
serve_udp c1 53

title "Pings"
for family in 4 6; do
    check "container to gateway (IPv$family, ${gateway[family]})" ping_from c1 "${gateway[family]}"
    check "container to container (IPv$family, ${c2[family]})" ping_from c1 "${c2[family]}"
    check "host to container (IPv$family, ${c1[family]})" ping_from host "${c1[family]}"
done

title "Host port 8080 of c1"
check "host port from the host itself (IPv4, 127.0.0.1)" fetch host 127.0.0.1 8080 c1
for family in 4 6; do
    check "host port from the host itself (IPv$family, its address)" fetch host "${uplink[family]}" 8080 c1
    check "host port from the other container (IPv$family)" fetch c2 "${uplink[family]}" 8080 c1
    check "host port from the container itself, hairpin (IPv$family)" fetch c1 "${uplink[family]}" 8080 c1
    check "host port from the outside host (IPv$family)" fetch outside "${uplink[family]}" 8080 c1
    check "host port 5353/udp from the outside host (IPv$family)" fetch_udp outside "${uplink[family]}" 5353 c1
done

title "Masquerade"
for family in 4 6; do
    check "the outside host sees the host, not the container (IPv$family)" \
        fetch c1 "${outside[family]}" 7000 "outside ${uplink[family]}"
done

title "CHECK"
check "CHECK c1" cni_check "$list" c1 /run/netns/c1 eth0 "$ports"
check "CHECK c2" cni_check "$list" c2 /run/netns/c2 eth0

title "DEL"
check "DEL c1" cni_del "$list" c1 /run/netns/c1 eth0 "$ports"
check "DEL c2" cni_del "$list" c2 /run/netns/c2 eth0
check "host port 8080 is closed" not fetch outside "${uplink[4]}" 8080 c1

title "What is left (the bridge stays, as CNI has it, and what belongs to the network as a whole)"
left
check "no link in the containers but lo" no_container_links c1 c2
check "no host end of a veth" no_host_veths
check "no lease" no_leases "$network"
check "no nftables element or rule of a container" no_nft_state "$network" "${c1[@]}" "${c2[@]}"

verdict "$started"
