#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: puts kubelet into FOLDER. Debian packages kubectl alone, but the source package has all of Kubernetes
# and what it needs. Takes two cores three minutes, and 2 GB of disk meanwhile.
set -eu

folder=${1:?usage: build.sh FOLDER}
[ ! -x "$folder/kubelet" ] || exit 0
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/source.XXXXXX")
trap 'rm -rf "$work"' EXIT
archive=$("$here/../source-package.sh" "$work" kubernetes kubernetes_1.20.5+really1.20.2.orig.tar.gz \
    b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc) || {
    echo "build.sh: KUBELET=/path names a kubelet you have" >&2
    exit 1
}
tree=$work/gopath/src/k8s.io/kubernetes
mkdir -p "$tree"
tar -C "$tree" -xf "$archive" --strip-components=1
[ -d "$tree/vendor/github.com/google/cadvisor" ] || {
    echo "build.sh: ${archive##*/} has no kubelet any more; KUBELET=/path names one you have" >&2
    exit 1
}
# It wants to know its version, which is in the archive's name alone.
version=$(echo "${archive##*/}" | sed 's/^.*[_y]\([0-9.]*[0-9]\).*\.orig\.tar.*/v\1/')
cd "$tree"
GO111MODULE=off GOFLAGS='' GOPATH=$work/gopath GOCACHE=$work/gocache go build -o "$work/kubelet" -ldflags \
    "-s -w -X k8s.io/kubernetes/vendor/k8s.io/component-base/version.gitVersion=$version" ./cmd/kubelet
mv "$work/kubelet" "$folder/kubelet"
