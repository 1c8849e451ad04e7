# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the sweeps share: a private host with one container that stays, a state to compare, the configs. Sourced in
# namespaces of its own with $work, a folder, $here, and CNI_BIN_DIR; $passed and $failed are the sweeps' to count.
# shellcheck disable=SC2034,SC2154

mount -t tmpfs tmpfs /run
mkdir -p /var/lib/cni /run/netns
mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
ip netns add c1
ip netns add other
ip netns add outside

passed=0
failed=0
servers=() pingers=()

if [ -z "${FAILAT-}" ]; then
    FAILAT=$work/failat
    g++ -std=c++20 -O1 -o "$FAILAT" "$here/failat.cpp" || exit 1
fi

cat >"$work/bridge.json" <<X
{"cniVersion":"1.1.0","name":"net","type":"bridge","bridge":"br0","isDefaultGateway":true,"ipMasq":true,
 "macspoofchk":true,"hairpinMode":true,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.0.0/24"}],[{"subnet":"fd09::/64"}]]}}
X
# SWEEP_VLAN=1: bridge with VLANs, where the kernel filters them.
if [ "${SWEEP_VLAN-}" = 1 ]; then
    jq -c '. + {vlan: 100, vlanTrunk: [{minID: 200, maxID: 203}, {id: 300}], preserveDefaultVlan: false}' \
        "$work/bridge.json" >"$work/vlan.json"
    mv "$work/vlan.json" "$work/bridge.json"
    # Otherwise what is only bridged on its way to the gateway is masqueraded (README of bridge).
    echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
fi
cp "$work/bridge.json" "$work/host-local.json"
cat >"$work/portmap.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"portmap","snat":true,"runtimeConfig":{"portMappings":[
 {"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":8053,"containerPort":53,"protocol":"udp"}]}}
X
cat >"$work/firewall.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"firewall","ingressPolicy":"isolated"}
X
cat >"$work/tuning.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"tuning","mtu":1400,"mac":"02:00:5e:10:00:01","promisc":true,"allmulti":true,
 "txQLen":500,"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1","net.core.somaxconn":"500"}}
X
cat >"$work/bandwidth.base" <<'X'
{"cniVersion":"1.1.0","name":"net","type":"bandwidth","ingressRate":80000000,"ingressBurst":8000000,
 "egressRate":80000000,"egressBurst":8000000,"unshapedSubnets":["10.8.0.0/16","fd08::/48"]}
X
chained() { [ -e "$work/$1.base" ]; } # chained NAME: it comes behind bridge
for name in bridge host-local portmap firewall tuning bandwidth; do
    from=$work/$name.json
    ! chained $name || from=$work/$name.base
    jq -c '."cni.dev/valid-attachments" = [{containerID: "other", ifname: "eth0"}]' "$from" >"$work/$name.GC"
done

# plugin NAME VERB CONTAINER CONFIG [prefix words…]: one call; stdout in $work/out
plugin() {
    local name=$1 verb=$2 id=$3 config=$4
    shift 4
    CNI_COMMAND=$verb CNI_CONTAINERID=$id CNI_NETNS=/run/netns/$id CNI_IFNAME=eth0 CNI_PATH=$CNI_BIN_DIR \
        "$@" "$CNI_BIN_DIR/$name" <"$config" >"$work/out" 2>"$work/err"
}

# with_result FROM TO: FROM with the last result as prevResult
with_result() { jq -c --slurpfile r "$work/out" '.prevResult = $r[0]' "$1" >"$2"; }

# What an operator would look at, without indices and counters.
state() {
    ip -o link show | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/link-netnsid [0-9]+//' | sort
    ip -n c1 -o link show | sed -E 's/^[0-9]+: //; s/@if[0-9]+//' | sort
    ip -n c1 -o addr show | sed -E 's/^[0-9]+: //' | sort
    ip -o addr show dev br0 scope global 2>/dev/null | sed -E 's/^[0-9]+: //' | sort
    find /var/lib/cni ! -name 'last_reserved_ip.*' | sort
    find /run/cni/tuning ! -type d 2>/dev/null | sort
    tc qdisc show | grep -v noqueue
    [ "${SWEEP_VLAN-}" != 1 ] || bridge vlan show
    nft list ruleset 2>/dev/null | sed -E 's/packets [0-9]+ bytes [0-9]+//'
    local at
    for at in all default lo br0; do
        cat /proc/sys/net/ipv[46]/conf/$at/{forwarding,accept_ra,route_localnet,arp_notify,disable_ipv6}
    done 2>/dev/null
    cat /proc/sys/net/ipv4/ip_forward
}

answers() { # the other container, to a ping and on its host port
    local said=
    ping -c 1 -W 1 -q 10.9.0.2 >/dev/null && read -r said 2>/dev/null </dev/tcp/10.9.0.1/9090 && [ "$said" = other ]
}

clean() { # clean: the state is the baseline again, and the other container answers
    state >"$work/now"
    diff "$work/baseline" "$work/now" >"$work/diff" && { answers || { echo "the other container does not answer" >"$work/diff"; false; }; }
}

# What has to be there before a plugin's ADD, and how it is taken away. What tuning had changed must be as before by
# then, but for a GC, which takes containers for gone.
begin() {
    chained "$1" || return 0
    plugin bridge ADD c1 "$work/bridge.json" || cat "$work/out"
    with_result "$work/$1.base" "$work/$1.json"
    ip -n c1 -o link show eth0 >"$work/link"
}
finish() { # finish NAME [VERB]
    chained "$1" || return 0
    local same=1
    [ "${2-}" = GC ] || ip -n c1 -o link show eth0 | diff "$work/link" - >"$work/diff" || same=0
    plugin bridge DEL c1 "$work/bridge.json" && [ $same = 1 ]
}

# attach NAME: an ADD that works; what CHECK and DEL are sent is in NAME.CHECK and NAME.DEL from then on
attach() {
    plugin "$1" ADD c1 "$work/$1.json" || { cat "$work/out"; return 1; }
    with_result "$work/$1.json" "$work/$1.CHECK"
    cp "$work/$1.CHECK" "$work/$1.DEL"
}

# A runtime has no result of an ADD that did not get through: its DEL is sent none.
forget() {
    local from=$work/$1.json
    ! chained "$1" || from=$work/$1.base
    cp "$from" "$work/$1.DEL"
}

# A failure that says why: one JSON document with a code and a message. When stdout itself fails, stderr has to do.
told() {
    jq -es 'length == 1 and .[0].code > 0 and (.[0].msg | length) > 0' "$work/out" >/dev/null 2>&1 ||
        { [ ! -s "$work/out" ] && grep -q 'could not be written to stdout' "$work/err"; }
}

# other NAME: the other container's ADD of a chained plugin; its MAC stays, as macspoofchk knows it
other() {
    jq -c --slurpfile r "$work/other.result" '.prevResult = $r[0]
        | if .type == "portmap" then .runtimeConfig.portMappings = [{hostPort: 9090, containerPort: 80, protocol: "tcp"}]
          else del(.mac) end' "$work/$1.base" >"$work/other.json"
    plugin "$1" ADD other "$work/other.json" || { cat "$work/out"; exit 1; }
    cp "$work/out" "$work/other.result"
}

ping_on() { # ping_on WORDS…: a ping every 20 ms from here on
    "$@" -i 0.02 -W 1 >"$work/pings.${#pingers[@]}" &
    pingers+=($!)
    servers+=($!)
}

outside() { # somebody to whom the containers' packets are forwarded
    ip link add out0 type veth peer name eth0 netns outside
    ip addr add 192.0.2.1/24 dev out0
    ip link set out0 up
    ip -n outside addr add 192.0.2.2/24 dev eth0
    ip -n outside link set eth0 up
}

# The first container makes what is shared: bridge, tables, forwarding. It has the whole chain, stays, and must go on
# answering the host and reaching the outside, which iptables' FORWARD would forbid.
make_baseline() {
    local name
    outside
    iptables -P FORWARD DROP && ip6tables -P FORWARD DROP # what firewall has to get past
    plugin bridge ADD other "$work/bridge.json" || { cat "$work/out"; exit 1; }
    cp "$work/out" "$work/other.result"
    for name in portmap firewall tuning bandwidth; do other $name; done
    ip netns exec other socat TCP-LISTEN:80,fork,reuseaddr SYSTEM:'echo other' 2>/dev/null &
    servers+=($!)
    for name in portmap firewall; do # their own shared things, whatever the keys
        begin $name
        attach $name
        plugin $name DEL c1 "$work/$name.DEL"
        finish $name
    done
    for _ in $(seq 50); do answers 2>/dev/null && break; done
    ip netns exec other ping -c 1 -W 5 -q 192.0.2.2 >"$work/out" || { cat "$work/out"; exit 1; }
    state >"$work/baseline"
    ping_on ping 10.9.0.2
    ping_on ip netns exec other ping 192.0.2.2
}

# The closing lines: whether a ping was lost since make_baseline, and the sum.
close_sweep() {
    local n said
    kill -INT "${pingers[@]}"
    wait "${pingers[@]}"
    for n in "${!pingers[@]}"; do
        said=$(grep 'packet loss' "$work/pings.$n")
        printf '%s, all the while: %s\n' "$(head -1 "$work/pings.$n")" "$said"
        case $said in
        *', 0% packet loss'*) passed=$((passed + 1)) ;;
        *) failed=$((failed + 1)) && echo 'FAIL pings were lost' ;;
        esac
    done
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}

cleanup() {
    kill "${servers[@]}" 2>/dev/null
    rm -rf "$work"
}
