#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: puts kubelet into FOLDER. Debian packages kubectl alone, but the source package has all of Kubernetes
# and what it needs. Takes two cores three minutes, and 2 GB of disk meanwhile.
set -eu

program=kubelet
source=kubernetes
file=kubernetes_1.20.5+really1.20.2.orig.tar.gz
pin=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc
# shellcheck source=tests/e2e/from-source.sh
. "$(dirname "$0")/../from-source.sh"

tree=$work/gopath/src/k8s.io/kubernetes
mkdir -p "$tree"
tar -C "$tree" -xf "$archive" --strip-components=1
[ -d "$tree/vendor/github.com/google/cadvisor" ] || give_up "${archive##*/} has no kubelet any more"
# It wants to know its version, which is in the archive's name alone.
version=$(echo "${archive##*/}" | sed 's/^.*[_y]\([0-9.]*[0-9]\).*\.orig\.tar.*/v\1/')
cd "$tree"
GO111MODULE=off GOFLAGS='' GOPATH=$work/gopath GOCACHE=$work/gocache go build -o "$work/kubelet" -ldflags \
    "-s -w -X k8s.io/kubernetes/vendor/k8s.io/component-base/version.gitVersion=$version" ./cmd/kubelet
mv "$work/kubelet" "$folder/kubelet"
