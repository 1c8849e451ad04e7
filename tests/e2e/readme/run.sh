#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# README.md's own commands: the blocks of its sections "With …" and "In scripts", taken from there word for word. What a
# private machine lacks of a real one is here: systemd, a registry, crictl (tests/e2e/cri/client.py speaks for it), and
# settings of the clients that have to do with running in a namespace.
set -u
needs=(containerd ctr runc podman crun conmon busybox curl jq ip nft iptables /usr/bin/python3)
if [ "${E2E_INSIDE:-}" != yes ] && [ -z "${CNITOOL:-}" ]; then
    CNITOOL=$(realpath -m "${BUILD:-build}")/e2e/cnitool
    "$(dirname "$0")/../cnitool/build.sh" "$(dirname "$CNITOOL")" || { echo 'FAIL cnitool could not be built' && exit 1; }
fi
export CNITOOL
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
networks4='10\.(89|9[0-9]|222)\.[0-9]+' networks6='fd(10|22):'
private_machine "$0" "$@"
private_folder /var/lib/containerd || exit 1
# A copy of /etc, in which the README's files may be written where it says.
cp -a /etc unused/ && mount --bind unused/etc /etc && rm -rf /etc/cni && mkdir -p /etc/cni/net.d /etc/containerd || exit 1
cp -r "$repo/conf-examples" .
make_image image.tar

block() { # SECTION KIND: the block ```KIND of the section
    awk -v section="## $1" -v fence="\`\`\`$2" '
        /^## / { here = $0 == section } here && $0 == "```" { inside = 0 } inside { print } here && $0 == fence { inside = 1 }' \
        "$repo/README.md"
}
configure() { # SECTION [MORE-LINES]: its toml block, whose first line says which file it is
    local file
    file=$(block "$1" toml | sed -n '1s/^# //p')
    [[ $file == /etc/*/*.* ]] && { block "$1" toml && echo "${2:-}"; } >"$file"
}
commands() { # SECTION: its sh block, every command of which has to succeed
    local script
    script=$(block "$1" sh)
    [ -n "$script" ] && bash -e -u -o pipefail -c "$script"
}

crictl() { /usr/bin/python3 "$repo/tests/e2e/cri/client.py" "$@"; }
systemctl() { # restart containerd
    local try
    containerd --log-level warn >>containerd.log 2>&1 &
    for try in {1..100}; do
        ! command ctr version >/dev/null 2>&1 || [ "$(crictl status | jq '[.status.conditions[].status] == [true, true]')" != true ] || break
        sleep 0.1
    done
    command ctr images import --digests=false image.tar
    command ctr -n k8s.io images import --digests=false image.tar
    command ctr -n k8s.io images tag e2e.local/pause:1 registry.k8s.io/pause:3.6
}
ctr() {
    case "$1 ${2:-}" in
    'image pull') command ctr images tag e2e.local/busybox:1 "$3" ;;
    'run '*) command ctr run --cgroup "$cgroup/demo" --snapshotter native "${@:2}" ;;
    *) command ctr "$@" ;;
    esac
}
podman() {
    case $1 in
    run) command podman run --cgroup-parent "/$cgroup" "${@:2}" ;;
    *) command podman "$@" ;;
    esac
}
cnitool() { "$CNITOOL" "$@"; }
export -f crictl systemctl ctr podman cnitool
export repo cgroup

check 'with containerd and Kubernetes: the configuration' configure 'With containerd and Kubernetes' \
    '[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true'
CNI_SHOW=1 check 'with containerd and Kubernetes: the commands' commands 'With containerd and Kubernetes'
rm -f /etc/cni/net.d/*
check 'with podman: the configuration' configure 'With podman' "network_config_dir = \"$E2E_WORK/networks\"
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"none\"
runtime = \"crun\"
[containers]
log_driver = \"k8s-file\"
default_sysctls = []"
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/storage"\nrunroot = "/run/storage"\n' "$E2E_WORK" >storage.conf
export CONTAINERS_STORAGE_CONF=$PWD/storage.conf TMPDIR=$E2E_WORK
check 'with podman: an image' podman load --input image.tar
check 'with podman: of the name in the README' podman tag e2e.local/busybox:1 docker.io/library/busybox:latest
CNI_SHOW=1 check 'with podman: the commands' commands 'With podman'
CNI_SHOW=1 check 'with cnitool: the commands' commands 'With cnitool'
CNI_SHOW=1 check 'in scripts: the commands' commands 'In scripts'
check 'nothing left: links, leases, files, namespaces, rules' nothing_left
verdict "$started"
