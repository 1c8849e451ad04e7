#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kubelet itself, without a cluster: it runs the pods whose manifests lie in a folder, by containerd's CRI service. It tells
# containerd the node's prefix, makes rules of its own in iptables, restarts pods whose sandbox has died, removes what is
# left of them, and asks after them by probes.
#
#   KUBELET           another kubelet (default: build.sh makes one of Debian's source package)
set -u
needs=(containerd ctr runc busybox jq ip nft iptables tc socat conntrack)
if [ "${E2E_INSIDE:-}" != yes ] && [ -z "${KUBELET:-}" ]; then
    KUBELET=$(realpath "${BUILD:-build}")/e2e/kubelet
    "$(dirname "$0")/build.sh" "$(dirname "$KUBELET")" || { echo 'FAIL kubelet could not be built' && exit 1; }
fi
export KUBELET
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/containerd.sh
. "$(dirname "$0")/../containerd.sh"
private_machine "$0" "$@"
private_folder /var/log
make_image image.tar
containerd_config cri "$PWD/template"
pod_network '' >template
# No evictions: how full this machine's disk is, is not what is tried here.
jq -n --arg pods "$PWD/pods" --arg cgroup "/$cgroup" >kubelet.json '
    {apiVersion: "kubelet.config.k8s.io/v1beta1", kind: "KubeletConfiguration", staticPodPath: $pods, fileCheckFrequency: "1s",
     volumePluginDir: "\($pods)/../volumes", podCIDR: "10.222.0.0/24,fd22::/64", cgroupRoot: $cgroup, cgroupDriver: "cgroupfs",
     enforceNodeAllocatable: [], failSwapOn: false, readOnlyPort: 10255, healthzBindAddress: "127.0.0.1", registerNode: false,
     imageGCHighThresholdPercent: 100,
     authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}, authorization: {mode: "AlwaysAllow"},
     evictionHard: {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"}}'
mkdir pods
hierarchies=(/sys/fs/cgroup)
[ -f /sys/fs/cgroup/cgroup.controllers ] || hierarchies=(/sys/fs/cgroup/*/)
mkdir -p "${hierarchies[@]/%//$cgroup}"

containerd_up() {
    containerd --log-level warn --config containerd.toml >>containerd.log 2>&1 &
    containerd=$!
    eventually ctr version
}
kubelet_up() {
    "$KUBELET" --config=kubelet.json --root-dir="$PWD/kubelet" --container-runtime=remote --hostname-override=node \
        --container-runtime-endpoint=unix:///run/containerd/containerd.sock >>kubelet.log 2>&1 &
    kubelet=$!
    eventually healthy
}
healthy() { is "$(http 10248 /healthz)" ok; }
http() { # PORT PATH: of kubelet
    # shellcheck disable=SC2016 # for the inner shell
    timeout 4 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET $1 HTTP/1.0\r\n\r\n" >&3 && cat <&3' "$1" "$2" |
        sed '1,/^\r$/d'
}
pod() { # NAME PORTS ANNOTATIONS COMMAND…: a manifest, which appears at once
    jq -n --arg name "$1" --argjson ports "$2" --argjson annotations "$3" '
        {apiVersion: "v1", kind: "Pod", metadata: {name: $name, namespace: "e2e", $annotations},
         spec: {terminationGracePeriodSeconds: 1, containers: [{name: "c", image: "e2e.local/busybox:1", imagePullPolicy: "Never",
                command: $ARGS.positional, $ports,
                readinessProbe: {httpGet: {path: "/", port: 8080}, periodSeconds: 1}}]}}' --args -- "${@:4}" >"new-$1"
    mv "new-$1" "pods/$1.json"
}
page_pod() { # NAME [PORTS [ANNOTATIONS]]
    pod "$1" "${2:-[]}" "${3:-{\}}" sh -c "$serve_page" serve "hello-$1"
}
status() { # POD JQ-FILTER: of its status, as kubelet gives it
    http 10255 /pods | jq -er --arg name "$1-node" "[.items[]? | select(.metadata.name == \$name).status][0] | $2"
}
# kubelet's probe has reached it.
ready() { status "$1" 'any(.conditions[]?; .type == "Ready" and .status == "True")'; }
all_ready() { local name && for name in "$@"; do ready "$name" || return; done; }
addresses() { status "$1" '[.podIPs[].ip] | join(" ")'; }
patiently() { eventually "$@" || eventually "$@" || eventually "$@"; } # kubelet's loops have ten seconds
containers() { # POD sandbox|container: IDs
    ctr -n k8s.io containers list -q "labels.\"io.kubernetes.pod.name\"==$1-node,labels.\"io.cri-containerd.kind\"==$2"
}
in_pod() { ctr -n k8s.io tasks exec --exec-id "$RANDOM" "$(containers "$1" container | head -n 1)" "${@:2}"; }
namespace() { # POD: name of its network namespace
    ctr -n k8s.io containers info "$(containers "$1" sandbox | head -n 1)" |
        jq -r '.Spec.linux.namespaces[] | select(.type == "network") | .path | split("/")[-1]'
}
page_from() { is "$(in_pod "$1" sh -c "$get_page" get "$2" "$3")" "$4"; }
running() { is "$(ctr -n k8s.io tasks list | grep -c RUNNING)" "$1"; }

must 'containerd is up' containerd_up
must 'the images are imported' ctr -n k8s.io images import --digests=false image.tar
must 'kubelet is up' kubelet_up
check 'its rules are in iptables' eventually iptables -t nat -S KUBE-POSTROUTING
page_pod p1 '[{"containerPort": 8080, "hostPort": 18080}, {"containerPort": 8080, "hostPort": 18081, "hostIP": "127.0.0.1"},
              {"protocol": "UDP", "containerPort": 9000, "hostPort": 19000}]' \
    '{"kubernetes.io/ingress-bandwidth": "50M", "kubernetes.io/egress-bandwidth": "50M"}'
page_pod p2
must 'p1 and p2 are ready: probes of kubelet reach them' patiently all_ready p1 p2
read -r p1 p1v6 <<<"$(addresses p1)"
check "the status of p1 has both addresses: $p1 $p1v6" is "$p1 $p1v6" '10.222.0.? fd22::?'
check_p1

# kubelet finds its pods again, and leaves them alone.
restart() {
    kill -KILL "$kubelet" "$containerd" && not wait "$kubelet" "$containerd" 2>/dev/null
    containerd_up && kubelet_up && patiently all_ready p1 p2
}
must 'kubelet and containerd are killed and come back' restart
check 'p1 has kept its addresses' is "$(addresses p1)" "$p1 $p1v6"
check 'the host port answers after that' page_at 127.0.0.1 18080 hello-p1
# It stops what is left of a pod whose sandbox died, and makes another for it, with the same host ports.
lose_sandbox() {
    first=$(containers p1 sandbox) && ctr -n k8s.io tasks kill -s SIGKILL "$first"
    patiently another_sandbox && patiently ready p1
}
another_sandbox() { containers p1 sandbox | grep -qvxF "$first"; }
check 'p1 loses its sandbox and gets another' lose_sandbox
check 'the host port answers again' patiently page_at 127.0.0.1 18080 hello-p1
check 'p1 is shaped again, and once' eventually shaped

many=$(many_pods)
names=()
for ((i = 1; i <= many; ++i)); do
    names+=("m$i")
    page_pod "m$i" "[{\"containerPort\": 8080, \"hostPort\": $((20000 + i))}]"
done
all_answer() { for ((i = 1; i <= many; ++i)); do page_at 127.0.0.1 $((20000 + i)) "hello-m$i" || return; done; }
must "$many pods at once are ready" patiently all_ready "${names[@]}"
check 'each answers on its host port' all_answer

later_plugins
gone() { patiently running 0 && not page_at 127.0.0.1 18080 hello-p1; }
# At once, but for the Go suite's bridge: where the masquerade chain it looks for has never been, it fails when it has done
# the rest, and kubelet tries again when it clears up, once a minute.
namespaces_gone() {
    local try && for try in {1..9}; do eventually empty_folder /run/netns && return; done
}
empty_folder() { [ -z "$(ls -A "$1")" ]; }
rm pods/*
check 'the manifests are removed, and the pods end' gone
check 'their namespaces are gone' namespaces_gone
check_left /etc/cni/net.d/10-containerd-net.conflist
verdict "$started"
