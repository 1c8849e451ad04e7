#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# containerd's CRI service, as kubelet drives it: over its gRPC socket, by client.py. It runs loopback for each sandbox,
# passes port mappings and bandwidth as capability arguments with Go's field names ("HostPort"), and sends DEL twice
# or more: with the namespace and the result, then without either.
set -u
needs=(containerd ctr runc busybox jq ip nft iptables tc socat /usr/bin/python3)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/containerd.sh
. "$(dirname "$0")/../containerd.sh"
private_machine "$0" "$@"

make_image image.tar
mkdir logs
containerd_config cri "$PWD/template"
pod_network '{"type": "halt"}' >template
# Where ADD stops as long as there is a file: for what happens in the middle of it.
cat >/opt/cni/bin/halt <<'END'
#!/bin/sh
config=$(cat)
[ "$CNI_COMMAND" = ADD ] || exit 0
[ ! -e /run/halt ] || : >/run/halted
while [ -e /run/halt ]; do sleep 0.05; done
printf %s "$config" | jq -c .prevResult
END
chmod +x /opt/cni/bin/halt

cri() { /usr/bin/python3 "$client_folder/client.py" "$@"; }
daemon() {
    containerd --log-level warn --config containerd.toml >>containerd.log 2>&1 &
    daemon=$!
    eventually ctr version && eventually condition RuntimeReady
}
condition() { cri status | jq -e --arg type "$1" '.status.conditions[] | select(.type == $type).status == true'; }
ready() { condition RuntimeReady && condition NetworkReady; }
network_appears() { cri cidr 10.222.0.0/24,fd22::/64 && eventually ready; }
restart() { kill -KILL "$daemon" && not wait "$daemon" 2>/dev/null && daemon && eventually ready; }
pod() { # NAME PORT-MAPPINGS ANNOTATIONS [ATTEMPT]: writes NAME.json
    jq -n --arg name "$1" --argjson ports "$2" --argjson annotations "$3" --argjson attempt "${4:-1}" \
        --arg cgroup "/$cgroup" --arg logs "$PWD/logs" '
        {metadata: {name: $name, namespace: "e2e", uid: "uid-\($name)", $attempt}, hostname: $name,
         log_directory: $logs, port_mappings: $ports, annotations: $annotations, linux: {cgroup_parent: $cgroup}}' >"$1.json"
}
container() { # NAME COMMAND…: writes container-NAME.json
    jq -n '$ARGS.positional | {metadata: {name: .[0]}, image: {image: "e2e.local/busybox:1"}, command: .[1:],
        log_path: "\(.[0]).log", linux: {}}' --args -- "$@" >"container-$1.json"
}
run_pod() { cri runp "$1.json" | tee "$1.id"; test -s "$1.id"; }
run_container() { # POD: runs container-POD.json in it
    cri create "$(cat "$1.id")" "container-$1.json" "$1.json" >"$1.container" && cri start "$(cat "$1.container")"
}
in_pod() { cri exec "$(cat "$1.container")" "${@:2}"; }
addresses() { cri inspectp "$(cat "$1.id")" | jq -r '.status.network | "\(.ip) \([.additionalIps[].ip] | join(" "))"'; }
namespace() { # POD: name of its network namespace
    cri inspectp "$(cat "$1.id")" |
        jq -r '.info.info.runtimeSpec.linux.namespaces[] | select(.type == "network") | .path | split("/")[-1]'
}
page_from() { is "$(in_pod "$1" sh -c "$get_page" get "$2" "$3")" "$4"; }

must 'containerd is up' daemon
check 'Status: the network is not ready without a list' not ready
must 'UpdateRuntimeConfig with the prefixes of the node makes one, and the network is ready' network_appears
must 'the images are imported' ctr -n k8s.io images import --digests=false image.tar
check 'CRI Version answers' eval 'cri version | jq -e ".runtimeName == \"containerd\""'
pod p1 '[{"container_port": 8080, "host_port": 18080}, {"container_port": 8080, "host_port": 18081, "host_ip": "127.0.0.1"},
         {"protocol": "UDP", "container_port": 9000, "host_port": 19000}]' \
    '{"kubernetes.io/ingress-bandwidth": "50M", "kubernetes.io/egress-bandwidth": "50M"}'
pod p2 '[]' '{}'
container p1 sh -c "$serve_page" serve hello-p1
container p2 sleep 600
must 'RunPodSandbox of p1, with three host ports and a bandwidth' run_pod p1
must 'RunPodSandbox of p2' run_pod p2
must 'CreateContainer and StartContainer in p1' run_container p1
must 'CreateContainer and StartContainer in p2' run_container p2
read -r p1 p1v6 <<<"$(addresses p1)"
check "PodSandboxStatus shows both addresses: $p1 $p1v6" is "$p1 $p1v6" '10.222.0.? fd22::?'
check 'the pod answers the host' eventually page_at "$p1" 8080 hello-p1
check 'the pod answers the host over IPv6' eventually page_at "$p1v6" 8080 hello-p1
check_p1
# A pod whose ADD is all but done, its host port mapped, when containerd dies. kubelet then stops what it finds, makes the
# pod again with the next attempt's number, and removes the first.
pod k1 '[{"container_port": 8080, "host_port": 18090}]' '{}'
container k1 sh -c "$serve_page" serve hello-k1
run_halted() { : >/run/halt && { cri runp k1.json & } && k1=$! && eventually test -e /run/halted; }
run_k1_again() {
    local first
    first=$(cri pods | jq -r '.items[] | select(.metadata.name == "k1").id')
    cri stopp "$first" && pod k1 '[{"container_port": 8080, "host_port": 18090}]' '{}' 2 && run_pod k1 &&
        run_container k1 && cri rmp "$first" && cri rmp "$first" && eventually page_at 127.0.0.1 18090 hello-k1
}
if [ "$plugin_set" = ours ] || [ "${LONG:-}" = 1 ]; then
    check 'RunPodSandbox of k1 is in the middle' run_halted
    must 'containerd is killed and comes back' restart
    rm /run/halt
    check 'RunPodSandbox of k1 has failed' not wait "$k1"
    check 'k1 is stopped and made again, and has its host port' run_k1_again
    check 'StopPodSandbox of k1' cri stopp "$(cat k1.id)"
    check 'RemovePodSandbox of k1' cri rmp "$(cat k1.id)"
else
    must 'containerd is killed and comes back' restart
fi
check 'the host port answers after the restart' page_at 127.0.0.1 18080 hello-p1
check 'PodSandboxStatus is the same after the restart' is "$(addresses p1)" "$p1 $p1v6"

# A node that starts its pods again.
many=$(many_pods)
names=()
for ((i = 1; i <= many; ++i)); do
    names+=("m$i")
    pod "m$i" "[{\"container_port\": 80, \"host_port\": $((20000 + i))}]" '{}'
done
run_many() { cri runp "${names[@]/%/.json}" >many && [ "$(wc -l <many)" = "$many" ]; }
all_different() {
    # shellcheck disable=SC2046 # a list of words
    cri inspectp $(cat many) | jq -r '.status.network | .ip, .additionalIps[].ip' | sort -u >different
    [ "$(wc -l <different)" = $((2 * many)) ]
}
must "$many pods at once" run_many
check 'all have addresses of their own' all_different

# The Go suite's bridge fails when the masquerade chain that it looks for has never been, after it has done the rest: a
# second attempt, which kubelet makes by itself, succeeds.
stop() { # POD-ID…
    if [ "$plugin_set" = ours-go ]; then not cri stopp "$@"; fi && cri stopp "$@"
}
later_plugins
# shellcheck disable=SC2046 # a list of words
check "StopPodSandbox of $many at once" stop $(cat many)
# shellcheck disable=SC2046
check "RemovePodSandbox of $many at once" cri rmp $(cat many)
check 'StopPodSandbox of p1' stop "$(cat p1.id)"
check 'StopPodSandbox of p1 again' cri stopp "$(cat p1.id)"
check 'RemovePodSandbox of p1' cri rmp "$(cat p1.id)"
check 'the host port is closed' not page_at 127.0.0.1 18080 hello-p1
check 'StopPodSandbox of p2' stop "$(cat p2.id)"
check 'RemovePodSandbox of p2' cri rmp "$(cat p2.id)"
check_left /etc/cni/net.d/10-containerd-net.conflist
verdict "$started"
