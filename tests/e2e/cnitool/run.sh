#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cnitool, libcni's own program: every list of conf-examples, added, checked and deleted. Debian's cnitool is of CNI
# 1.0, so the lists of version 1.1.0 run as 1.0.0. CNITOOL=/path: another one.
set -u
needs=(busybox jq ip nft iptables socat)
if [ "${E2E_INSIDE:-}" != yes ] && [ -z "${CNITOOL:-}" ]; then
    CNITOOL=$(realpath "${BUILD:-build}")/e2e/cnitool
    "$(dirname "$0")/build.sh" "$(dirname "$CNITOOL")" || { echo 'FAIL cnitool could not be built' && exit 1; }
fi
export CNITOOL
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
networks4='10\.(88|89|9[0-9])\.[0-9]+|172\.31\.[0-9]+' networks6='fd10:'
private_machine "$0" "$@"

export CNI_PATH=/opt/cni/bin NETCONFPATH=/etc/cni/net.d
cnitool() { # add|check|del NETNS
    local requests={}
    [ "$2" != a ] || requests=$(jq -n --argjson port "$port" '{portMappings: [{hostPort: $port, containerPort: 80, protocol: "tcp"}],
        ips: ["10.91.0.42"], mac: "02:00:5e:10:00:01"}')
    CAP_ARGS=$requests CNI_IFNAME=$ifname "$CNITOOL" "$1" "$network" "/run/netns/$2" >"$1-$2" || { cat "$1-$2" && return 1; }
}
address() { jq -r --arg dot "$1" 'first(.ips[]?.address | select(contains($dot)) | split("/")[0]) // ""' "add-$2"; }
checked() { # what differs from success is listed
    local known
    known=$(sed -n "s/^$name //p" "$client_folder/check-$(suite_of "$PLUGIN_DIR").txt" 2>/dev/null)
    # What 1.1.1 says of port mappings was mended before CNI 1.1 came.
    if [[ $known == *dnat* ]] && knows_cni_1_1 ./now; then known=; fi
    if [ -z "$known" ]; then cnitool check a; else is "$(cnitool check a 2>&1)" "*$known*"; fi
}
deleted() { # NETNS: the Go suite's bridge misses its own masquerade chain, once
    if [ "$plugin_set" = ours-go ] && [ -e "/run/netns/$1" ] && grep -q '"ipMasq": true' "$example"; then not cnitool del "$1"; fi
    cnitool del "$1"
}

make_netns a && serve a 80
lists=() port=8080 # another one for each list: what is left of one must not be in the way of the next
for example in "$repo"/conf-examples/*.conflist; do
    name=$(basename "$example" .conflist)
    network=$(jq -r .name "$example")
    list=$NETCONFPATH/$name.conflist
    lists+=("$list")
    jq 'if .cniVersion == "1.1.0" then .cniVersion = "1.0.0" else . end' "$example" >"$list"
    port=$((port + 1)) ifname=eth0
    [ "$network" != loopback ] || ifname=lo
    [ "$plugin_set" = "$(suite_of "$PLUGIN_DIR")" ] || install_plugins now
    make_netns b
    check "$name: add" cnitool add a
    check "$name: check" checked
    check "$name: add of a second" cnitool add b
    # The MAC of the Go suite's bridge may have changed with the second port, which its own CHECK then finds fault with.
    [ "$(suite_of "$PLUGIN_DIR")" = go ] || check "$name: check with the second beside it" checked
    case $network in
    loopback | layer-2 | isolated) ;;
    *)
        check "$name: they meet" ping_from a "$(address . b)"
        check "$name: the host port answers" fetch host 127.0.0.1 "$port" a
        ;;
    esac
    later_plugins
    check "$name: del" deleted a
    check "$name: del again" cnitool del a
    ip netns del b
    check "$name: del after the namespace has gone" deleted b
done
ip netns del a
check_left "${lists[@]}"
verdict "$started"
