#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# apptainer, as root: instances and commands with networks of their own. The container's ID is a process ID, and
# CNI_NETNS one path for all containers, which leads to each one's namespace in a mount namespace of each call. There is
# none in Debian 12.
#
#   APPTAINER_DIR     folder with an apptainer in bin/ and what belongs to it (default: the installed one)
set -u
needs=(apptainer busybox jq ip nft iptables socat)
[ -z "${APPTAINER_DIR:-}" ] || PATH=$(realpath -e "$APPTAINER_DIR/bin"):$PATH || exit 1
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
private_machine "$0" "$@"

make_image image.tar
mkdir box && tar -xOf image.tar layer.tar | tar -xC box
mkdir -p box/.singularity.d box/var/tmp && printf '#!/bin/sh\n%s\n' "$serve_page" >box/.singularity.d/startscript
chmod +x box/.singularity.d/startscript
cat >/etc/cni/net.d/one.conflist <<END
{"cniVersion": "1.0.0", "name": "one", "plugins": [
  {"type": "bridge", "bridge": "e2e0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.222.0.0/24"}], [{"subnet": "fd22::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}},
  {"type": "firewall"},
  {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}]}
END
cat >/etc/cni/net.d/two.conflist <<END
{"cniVersion": "1.0.0", "name": "two", "plugins": [
  {"type": "bridge", "bridge": "e2e1", "isGateway": true, "ipMasq": true,
   "ipam": {"type": "host-local"}, "capabilities": {"ipRanges": true}},
  {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}]}
END
cat >apptainer.conf <<END
cni configuration path = /etc/cni/net.d
cni plugin path = /opt/cni/bin
root default capabilities = no
systemd cgroups = no
config resolv_conf = no
END
export APPTAINER_CONFIGDIR=$PWD/state HOME=$PWD

apptainer() { command apptainer --silent --config "$PWD/apptainer.conf" "$@" </dev/null; }
start() { # NAME OPTION…: an instance, which serves hello-NAME
    apptainer instance start --compat --net "${@:2}" box "$1" "hello-$1" >"start-$1.log" 2>&1 || { cat "start-$1.log" && return 1; }
}
stop() { apptainer instance stop --timeout 1 "$1"; }
in_instance() { apptainer exec --cwd / --add-caps CAP_NET_RAW "instance://$1" "${@:2}"; }
# Of the container's first process.
pid_of() { apptainer instance list --json "$1" | jq -er '.instances[0].pid'; }
address() { # NAME INTERFACE inet|inet6
    in_instance "$1" ip -o addr show dev "$2" scope global | sed -nE "s|.* $3 ([0-9a-f.:]+)/.*|\1|p"
}
page_from() { is "$(in_instance "$1" sh -c "$get_page" get "$2" "$3")" "$4"; }
once() { # OPTION… -- COMMAND…: a container that ends with it
    local options=()
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    apptainer exec --compat --cwd / --add-caps CAP_NET_RAW --net "${options[@]}" box "${@:2}"
}

must 'c1 starts, with TCP and UDP ports' start c1 --network one \
    --network-args 'portmap=18080:8080/tcp;portmap=19000:9000/udp'
must 'c2 starts, with a fixed address' start c2 --network one --network-args IP=10.222.0.77
must 'c3 starts, in two networks, with a range and a port for the second' start c3 --network one,two \
    --network-args 'two:ipRange=10.222.1.0/24;portmap=18083:8080/tcp'
c1=$(address c1 eth0 inet) c1v6=$(address c1 eth0 inet6)
check "c1 has both addresses: $c1 $c1v6" is "$c1 $c1v6" '10.222.0.? fd22::?'
check 'c2 has the address asked for' is "$(address c2 eth0 inet)" 10.222.0.77
check 'c3 has one of each network' is "$(address c3 eth0 inet) $(address c3 eth1 inet)" '10.222.0.* 10.222.1.?'
check 'c2 pings c1' in_instance c2 ping -c 1 -W 2 "$c1"
check 'c2 pings c1 over IPv6' in_instance c2 ping -6 -c 1 -W 2 "$c1v6"
check 'the host port answers at 127.0.0.1' eventually page_at 127.0.0.1 18080 hello-c1
check 'the host port answers at the gateway address' page_at 10.222.0.1 18080 hello-c1
check 'the host port answers c2' page_from c2 10.222.0.1 18080 hello-c1
check 'the host port answers c1 itself' page_from c1 10.222.0.1 18080 hello-c1
check 'the host port of the second network answers' eventually page_at 127.0.0.1 18083 hello-c3
ip netns attach c1 "$(pid_of c1)"
serve_udp c1 9000
check 'the UDP host port answers' fetch_udp host 10.222.0.1 19000 c1
check 'a command in a network ends by itself' once --network one -- ping -c 1 -W 2 "$c1"
check 'a command fails, and what was made for it goes' not once --network one -- sh -c 'exit 3'
# The second network refuses, and apptainer takes the first away.
check 'an address outside the second network is refused' not once --network one,two \
    --network-args 'two:ipRange=10.222.1.0/24;IP=10.222.9.9' -- ls
check 'network none has none' is "$(once --network none -- ip -o addr show scope global)" ''
ip netns del c1

later_plugins
check 'c1 stops' stop c1
check 'c2 stops' stop c2
check 'c3 stops' stop c3
check 'the host port is closed' not page_at 127.0.0.1 18080 hello-c1
check_left /etc/cni/net.d/one.conflist /etc/cni/net.d/two.conflist

# Nobody sends DEL then. The Go suite gives the port to both, and the first one's rule wins.
if [ "$plugin_set" = ours ]; then
    must 'c4 starts, with a port' start c4 --network one --network-args portmap=18084:8080/tcp
    check 'another cannot have that port' not start c5 --network one --network-args portmap=18084:8080/tcp
    check 'the apptainer of c4 is killed' kill -KILL "$(ps -o ppid= -p "$(pid_of c4)" | tr -d ' ')"
    check 'the port is free for c5' eventually start c5 --network one --network-args portmap=18084:8080/tcp
    check 'c5 answers at it' eventually page_at 127.0.0.1 18084 hello-c5
    check 'c5 stops' stop c5
fi
verdict "$started"
