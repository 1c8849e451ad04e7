# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # what it shares with lib.sh and the scripts
# What the clients of containerd share. Sourced before private_machine, so that CONTAINERD_DIR is asked for in it.
#
#   CONTAINERD_DIR    folder with another containerd, ctr, shim and runc in bin/ (default: the installed ones)
[ -z "${CONTAINERD_DIR:-}" ] || PATH=$(realpath -e "$CONTAINERD_DIR/bin"):$PATH || exit 1
containerd_major() { containerd --version | awk '{ split($3, v, "."); sub("v", "", v[1]); print v[1] }'; }

# A list of CNI 1.1 where everybody knows it: containerd 2 then sends STATUS.
list_version() {
    local folder
    [ "$(containerd_major)" -ge 2 ] || { echo 1.0.0 && return; }
    for folder in now later; do
        knows_cni_1_1 ./$folder || { echo 1.0.0 && return; }
    done
    echo 1.1.0
}

containerd_config() { # cri|plain [LIST-TEMPLATE]: writes containerd.toml
    local version=2
    [ "$(containerd_major)" -lt 2 ] || version=3
    printf 'version = %s\nroot = "%s"\nstate = "/run/containerd"\n' $version "$E2E_WORK/containerd"
    case $1$version in
    plain*) echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' ;;
    cri2) cat <<END ;;
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "e2e.local/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
    conf_template = "${2:-}"
END
    cri3) cat <<END ;;
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "e2e.local/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
    conf_template = "${2:-}"
END
    esac
} >containerd.toml

# A list of pods' network, as a template: containerd makes a list of it when it is told the node's prefixes, as kubelet does;
# until then there is no network.
pod_network() { # [PLUGIN]: one more, before firewall
    sed "s/VERSION/$(list_version)/" <<'END'
{"cniVersion": "VERSION", "name": "e2e", "plugins": [
  {"type": "bridge", "bridge": "e2e0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            "ranges": [{{range $i, $range := .PodCIDRRanges}}{{if $i}}, {{end}}[{"subnet": "{{$range}}"}]{{end}}]}},
  {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}},
  {"type": "bandwidth", "capabilities": {"bandwidth": true}},
END
    printf '  %s\n' ${1:+"$1,"} '{"type": "firewall"}]}'
}
shaped() { # into the pod at its host veth, out of it at an ifb
    [ "$(tc qdisc show | grep -c '^qdisc tbf .* rate 50Mbit')" = 2 ] && [ "$(ip -br link show type ifb | wc -l)" = 1 ]
}
# How many pods are started at once.
many_pods() {
    if [ "${LONG:-}" = 1 ] && [ "$plugin_set" != ours-go ]; then
        echo 50
    elif [ "$plugin_set" = ours ]; then
        echo 12
    else
        echo 5
    fi
}
# What the network does for pod p1, which has host ports 18080, 18081 at 127.0.0.1, 19000/udp, and limits, and for p2.
check_p1() {
    local at_once='' network_of_p1
    check 'p2 pings p1' in_pod p2 ping -c 1 -W 2 "$p1"
    check 'p2 pings p1 over IPv6' in_pod p2 ping -6 -c 1 -W 2 "$p1v6"
    check 'the host port answers at 127.0.0.1' page_at 127.0.0.1 18080 hello-p1
    check 'the host port answers at the gateway address' page_at 10.222.0.1 18080 hello-p1
    # The Go suite's gateway address is none for the first seconds: duplicate address detection holds it back.
    [ "$(suite_of "$PLUGIN_DIR")" = ours ] || at_once=eventually
    check 'the host port answers at the gateway address over IPv6' $at_once page_at fd22::1 18080 hello-p1
    check 'the host port answers the other pod' page_from p2 10.222.0.1 18080 hello-p1
    check 'the host port answers the pod itself' page_from p1 10.222.0.1 18080 hello-p1
    check 'the host port of 127.0.0.1 answers there' page_at 127.0.0.1 18081 hello-p1
    check 'the host port of 127.0.0.1 does not answer elsewhere' not page_at 10.222.0.1 18081 hello-p1
    network_of_p1=$(namespace p1)
    serve_udp "$network_of_p1" 9000
    check 'the UDP host port answers' fetch_udp host 10.222.0.1 19000 "$network_of_p1"
    check 'both directions of p1 are shaped' shaped
}
