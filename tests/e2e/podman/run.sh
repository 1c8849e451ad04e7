#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman with network_backend "cni". It writes the lists itself (bridge, portmap, firewall and tuning, version 0.4.0),
# calls VERSION on each plugin at nearly every command, and passes a fixed address and MAC in CNI_ARGS.
set -u
needs=(podman conmon crun busybox jq ip nft iptables socat)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/containers.sh
. "$(dirname "$0")/../containers.sh"
private_machine "$0" "$@"

use_containers_conf <<END
events_logger = "none"
infra_image = "e2e.local/pause:1"
static_dir = "$E2E_WORK/static"
volume_path = "$E2E_WORK/volumes"
tmp_dir = "/run/libpod"
[containers]
log_driver = "k8s-file"
default_sysctls = []
END

run() { # NAME OPTION… IMAGE COMMAND…
    podman run --detach --cgroup-parent "/$cgroup" --name "$@"
}
inspect() { # CONTAINER NETWORK KEY
    podman inspect "$1" | jq -r --arg network "$2" --arg key "$3" '.[0].NetworkSettings.Networks[$network][$key]'
}
in_container() { podman exec "$@" </dev/null; }
page_from() { is "$(in_container "$1" sh -c "$get_page" get "$2" "$3")" "$4"; }
written() { # NETWORK TYPE…: the list has these plugins
    is "$(jq -r '[.plugins[].type] | join(" ")' "networks/$1.conflist")" "${*:2}"
}
interfaces() { # CONTAINER NAME…: it has these
    is "$(in_container "$1" ip -o link | sed -nE 's/^[0-9]+: (eth[0-9]+).*/\1/p' | sort | tr '\n' ' ')" "${*:2} "
}
# What the plugins answered is what the kernel has.
inspected() { # CONTAINER NETWORK INTERFACE
    local shown
    shown=$(inspect "$1" "$2" IPAddress)/$(inspect "$1" "$2" IPPrefixLen)
    in_container "$1" ip -o addr show dev "$3" | grep -F " inet $shown " &&
        in_container "$1" ip link show dev "$3" | grep -F "$(inspect "$1" "$2" MacAddress)"
}

must 'the images are loaded' podman load --input image.tar
must 'the backend is cni' is "$(podman info --format '{{.Host.NetworkBackend}}')" cni
must 'network create, dual stack' podman network create --ipv6 --subnet 10.222.0.0/24 --subnet fd22::/64 one
must 'network create of a second' podman network create --subnet 10.222.1.0/24 two
check 'the list that podman wrote' written one bridge portmap firewall tuning
check 'network ls shows them' is "$(podman network ls --quiet | sort | tr '\n' ' ')" 'one podman two '

must 'c1 runs, with TCP and UDP ports' run c1 --network one -p 18080:8080 -p 127.0.0.1:18081:8080/tcp -p 19000:9000/udp \
    e2e.local/busybox:1 sh -c "$serve_page" serve hello-c1
must 'c2 runs, with a fixed address and MAC' run c2 --network one --ip 10.222.0.77 --mac-address 02:11:22:33:44:55 \
    e2e.local/busybox:1 sleep 600
must 'c3 runs, in two networks, with a port' run c3 --network one --network two -p 18083:8080 \
    e2e.local/busybox:1 sh -c "$serve_page" serve hello-c3
c1=$(inspect c1 one IPAddress) c1v6=$(inspect c1 one GlobalIPv6Address)
check "inspect shows both addresses of c1: $c1 $c1v6" is "$c1 $c1v6" '10.222.0.? fd22::?'
check 'inspect shows the address and MAC of c2' is "$(inspect c2 one IPAddress) $(inspect c2 one MacAddress)" \
    '10.222.0.77 02:11:22:33:44:55'
check 'inspect shows what c1 has' inspected c1 one eth0
check 'inspect shows what c2 has' inspected c2 one eth0
check 'c3 has an interface for each network' interfaces c3 eth0 eth1
check 'c2 pings c1' in_container c2 ping -c 1 -W 2 "$c1"
check 'c2 pings c1 over IPv6' in_container c2 ping -6 -c 1 -W 2 "$c1v6"
check 'c3 pings c1' in_container c3 ping -c 1 -W 2 "$c1"
check 'c1 answers the host' eventually page_at "$c1" 8080 hello-c1
check 'the port answers at 127.0.0.1' page_at 127.0.0.1 18080 hello-c1
check 'the port answers at the gateway address' page_at 10.222.0.1 18080 hello-c1
check 'the port answers c2' page_from c2 10.222.0.1 18080 hello-c1
check 'the port of c3 answers' eventually page_at 127.0.0.1 18083 hello-c3
check 'the port of 127.0.0.1 answers there' page_at 127.0.0.1 18081 hello-c1
check 'the port of 127.0.0.1 does not answer elsewhere' not page_at 10.222.0.1 18081 hello-c1
namespace=$(basename "$(podman inspect c1 --format '{{.NetworkSettings.SandboxKey}}')")
serve_udp "$namespace" 9000
check 'the UDP port answers' fetch_udp host 10.222.0.1 19000 "$namespace"

check 'network connect of a running container' podman network connect two c2
check 'it has the second interface' interfaces c2 eth0 eth1
check 'inspect shows the second' inspected c2 two eth1
check 'it pings c3 over the second network' in_container c2 ping -c 1 -W 2 "$(inspect c3 two IPAddress)"
check 'network disconnect while running' podman network disconnect one c2
check 'it has the second interface alone' interfaces c2 eth1
check 'network connect again' podman network connect one c2
check 'c2 pings c1 again' in_container c2 ping -c 1 -W 2 "$c1"
check 'network reload of c1' podman network reload c1
check 'the port answers after the reload' page_at 127.0.0.1 18080 hello-c1
check 'restart of c1' podman restart --time 0 c1
check 'the port answers after the restart' eventually page_at 127.0.0.1 18080 hello-c1
check 'a pod with a port' podman pod create --name pod --network one -p 18090:8080 --cgroup-parent "/$cgroup"
check 'a container in the pod' run p1 --pod pod e2e.local/busybox:1 sh -c "$serve_page" serve hello-p1
check "the pod's port answers" eventually page_at 127.0.0.1 18090 hello-p1

later_plugins
check 'pod rm' podman pod rm --force --time 0 pod
check 'rm of c1' podman rm --force --time 0 c1
check 'rm of c2, rm of c3' podman rm --force --time 0 c2 c3
check 'the port is closed' not page_at 127.0.0.1 18080 hello-c1
cp networks/one.conflist networks/two.conflist .
check 'network rm' podman network rm one two
no_bridges() { [ -z "$(ip -br link show type bridge)" ]; }
check 'the bridges have gone' no_bridges
check_left one.conflist two.conflist
verdict "$started"
