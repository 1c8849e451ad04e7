#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# containerd's own tool, `ctr run --cni`: libcni runs inside ctr, with the first list of /etc/cni/net.d. It passes no
# capability arguments, and sends DEL with an empty CNI_NETNS, when the container's process has gone.
set -u
needs=(containerd ctr runc busybox jq ip nft iptables)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/containerd.sh
. "$(dirname "$0")/../containerd.sh"
private_machine "$0" "$@"

make_image image.tar
containerd_config plain
containerd --log-level warn --config containerd.toml >containerd.log 2>&1 &
must 'containerd is up' eventually ctr version
must 'the image is imported' ctr images import --digests=false image.tar

network() { # [MORE-KEYS-OF-PORTMAP]: writes the list
    cat >/etc/cni/net.d/10-e2e.conflist <<END
{"cniVersion": "$(list_version)", "name": "e2e", "plugins": [
  {"type": "bridge", "bridge": "e2e0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.222.0.0/24"}], [{"subnet": "fd22::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}},
  {"type": "portmap", "snat": true${1:-}},
  {"type": "firewall"}]}
END
}
declare -A job
run() { # ID COMMAND…: `ctr run --detach` never sends DEL, so ctr stays in the foreground of a job
    ctr run --rm --cni --cgroup "$cgroup/$1" --snapshotter native e2e.local/busybox:1 "$@" >"ctr-$1.log" 2>&1 &
    job[$1]=$!
    eventually running "$1"
}
running() { ctr task ls | grep -q "^$1 .*RUNNING"; }
# ctr now and then loses what the command printed, so only its exit status counts.
in_container() { ctr task exec --exec-id "exec-$BASHPID-$RANDOM" "$@" </dev/null; }
address_in() { # ID inet|inet6
    nsenter --net="/proc/$(ctr task ls | awk -v id="$1" '$1 == id { print $2 }')/ns/net" ip -o addr show dev eth0 scope global |
        sed -nE "s|.* $2 ([0-9a-f.:]+)/.*|\1|p"
}
page_from() { # ID ADDRESS PORT WANTED
    in_container "$1" sh -c "[ \"\$($get_page)\" = \"\$3\" ]" get "$2" "$3" "$4"
}
end() { # ID
    ctr task kill -s 9 "$1" && wait "${job[$1]}"
    not running "$1" && ! ctr container ls -q | grep -qx "$1"
}

network
must 'c1 runs' run c1 sleep 600
must 'c2 runs' run c2 sleep 600
c1=$(address_in c1 inet) c2=$(address_in c2 inet) c2v6=$(address_in c2 inet6)
check "both have addresses: $c1, $c2, $c2v6" is "$c1 $c2 $c2v6" '10.222.0.? 10.222.0.? fd22::?'
check 'c1 pings c2' in_container c1 ping -c 1 -W 2 "$c2"
check 'c1 pings c2 over IPv6' in_container c1 ping -6 -c 1 -W 2 "$c2v6"
check 'the host pings c1' ping_from host "$c1"

# libcni leaves a runtimeConfig that is written in the list alone.
network ', "runtimeConfig": {"portMappings": [{"hostPort": 18080, "containerPort": 8080, "protocol": "tcp"}]}'
must 'c3 runs, with a host port' run c3 sh -c "$serve_page" serve hello-c3
check 'the host port answers at 127.0.0.1' eventually page_at 127.0.0.1 18080 hello-c3
check 'the host port answers at the gateway address' page_at 10.222.0.1 18080 hello-c3
check 'the host port answers c1' page_from c1 10.222.0.1 18080 hello-c3
check 'the host port answers c3 itself' page_from c3 10.222.0.1 18080 hello-c3

later_plugins
check 'c3 ends and is removed' end c3
network
check 'c1 ends and is removed' end c1
check 'c2 ends and is removed' end c2
check 'the host port is closed' not page_at 127.0.0.1 18080 hello-c3
check_left /etc/cni/net.d/10-e2e.conflist
verdict "$started"
