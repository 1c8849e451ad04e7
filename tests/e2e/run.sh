#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [CLIENT…]: real clients on our plugins, on the Go suite's, and on both: made by the one, removed by the other.
# The last line is the sum: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
ours=${CNI_BIN_DIR:-$PWD/bin} go=/usr/lib/cni
[ $# -gt 0 ] || set -- ctr cri podman buildah cnitool

echo "note: the clients are Debian's:"
dpkg-query --show --showformat '      ${Package} ${Version}\n' containerd runc podman buildah crun \
    golang-github-appc-cni-dev containernetworking-plugins iptables
for client in "$@"; do
    for pair in "$ours $ours" "$go $go" "$ours $go" "$go $ours"; do
        read -r now later <<<"$pair"
        count env PLUGIN_DIR="$now" PLUGIN_DIR_LATER="$later" "tests/e2e/$client/run.sh"
    done
done
sum_up
