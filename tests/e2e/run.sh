#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [CLIENT…]: real clients on our plugins, on the Go suite's, and on both: made by the one, removed by the other.
# LONG=1: kubelet as well, which has to be built, and more pods at once. Only by its name: apptainer, which Debian 12 has not.
# The last line is the sum: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
ours=${CNI_BIN_DIR:-$PWD/bin} go=${GO_BIN_DIR:-/usr/lib/cni}
[ $# -gt 0 ] || set -- ctr cri podman buildah cnitool readme ${LONG:+kubelet}

# What the clients would use if they were not kept off it.
machine() {
    find /etc/cni /opt/cni /var/lib/cni /var/lib/containers /var/lib/containerd /run/containerd /run/netns /run/libpod \
        -printf '%p %T@\n' 2>/dev/null
    ip -brief link
    nft list ruleset 2>/dev/null
}
# Work folders and cgroups, but not those of another run which is still at it.
forgotten() {
    local name pid
    find /sys/fs/cgroup "${TMPDIR:-/tmp}" -name 'cnative-e2e-*' 2>/dev/null | while read -r name; do
        pid=${name##*cnative-e2e-}
        [ -d "/proc/${pid%%-*}" ] || echo "$name"
    done
}
untouched() {
    if diff <(echo "$before") <(machine && forgotten); then
        echo 'ok   the machine is as it was'
    else
        echo 'FAIL the machine is as it was'
    fi
}
before=$(machine)

echo "note: the clients are Debian's:"
dpkg-query --show --showformat '      ${Package} ${Version}\n' containerd runc podman buildah crun \
    golang-github-appc-cni-dev containernetworking-plugins iptables
[ -z "${CONTAINERD_DIR:-}" ] || "$CONTAINERD_DIR/bin/containerd" --version
[ -z "${APPTAINER_DIR:-}" ] || "$APPTAINER_DIR/bin/apptainer" --version
for client in "$@"; do
    for pair in "$ours $ours" "$go $go" "$ours $go" "$go $ours"; do
        [ "$client" != readme ] || [ "$pair" = "$ours $ours" ] || continue
        read -r now later <<<"$pair"
        count env PLUGIN_DIR="$now" PLUGIN_DIR_LATER="$later" "tests/e2e/$client/run.sh"
    done
done
count untouched
sum_up
