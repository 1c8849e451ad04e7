# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the sweeps share: a private host with one container that stays, a state to compare, the configs. Sourced in
# namespaces of its own with $work, a folder, and CNI_BIN_DIR; $passed and $failed are the sweeps' to count.
# shellcheck disable=SC2034,SC2154

mount -t tmpfs tmpfs /run
mkdir -p /var/lib/cni /run/netns
mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
ip netns add c1
ip netns add other

passed=0
failed=0

cat >"$work/bridge.json" <<X
{"cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"br0","isDefaultGateway":true,"ipMasq":true,
 "macspoofchk":true,"hairpinMode":true,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.0.0/24"}],[{"subnet":"fd09::/64"}]]}}
X

# plugin VERB CONTAINER CONFIG [prefix words…]: one call; stdout in $work/out
plugin() {
    local name=$1 verb=$2 id=$3 config=$4
    shift 4
    CNI_COMMAND=$verb CNI_CONTAINERID=$id CNI_NETNS=/run/netns/$id CNI_IFNAME=eth0 CNI_PATH=$CNI_BIN_DIR \
        "$@" "$CNI_BIN_DIR/$name" <"$config" >"$work/out" 2>"$work/err"
}

# What an operator would look at, without indices and counters.
state() {
    ip -o link show | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/link-netnsid [0-9]+//' | sort
    ip -n c1 -o addr show | sed -E 's/^[0-9]+: //' | sort
    ip -o addr show dev br0 scope global | sed -E 's/^[0-9]+: //' | sort
    find /var/lib/cni -type f -path '*/networks/net/*' ! -name 'last_reserved_ip.*' | sort
    nft list ruleset
    cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
}

clean() { # clean: the state is the baseline again, and the other container answers
    state >"$work/now"
    diff "$work/baseline" "$work/now" >"$work/diff" && ping -c 1 -W 1 -q 10.9.0.2 >/dev/null
}

nothing() { :; }
with_bridge() {
    plugin bridge ADD c1 "$work/bridge.json" || cat "$work/out"
    jq -c --slurpfile r "$work/out" '.prevResult = $r[0]' "$work/portmap.base" >"$work/portmap.json"
}
without_bridge() { plugin bridge DEL c1 "$work/bridge.json"; }

# The first container makes what is shared: bridge, table, forwarding. It stays and must go on answering.
make_baseline() {
    plugin bridge ADD other "$work/bridge.json" || { cat "$work/out"; exit 1; }
    cat >"$work/portmap.base" <<'X'
{"cniVersion":"1.0.0","name":"net","type":"portmap","snat":true,"runtimeConfig":{"portMappings":[
 {"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":8053,"containerPort":53,"protocol":"udp"}]}}
X
    with_bridge
    plugin portmap ADD c1 "$work/portmap.json" || { cat "$work/out"; exit 1; }
    plugin portmap DEL c1 "$work/portmap.json"
    without_bridge
    ping -c 1 -W 1 -q 10.9.0.2 >/dev/null
    state >"$work/baseline"
    cp "$work/bridge.json" "$work/host-local.json"
}
