#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: puts cnitool into FOLDER. Debian packages the libraries it is made of (golang-github-appc-cni-dev) but
# not its one file, which is in the source package.
set -eu

folder=${1:?usage: build.sh FOLDER}
[ ! -x "$folder/cnitool" ] || exit 0
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/source.XXXXXX")
trap 'rm -rf "$work"' EXIT
archive=$("$here/../source-package.sh" "$work" golang-github-appc-cni golang-github-appc-cni_1.1.2.orig.tar.xz \
    d16939874ef2e2ff2e34970e2ef62bac910a518b17f3bd2e72bfd05096a1dfec) || {
    echo "build.sh: CNITOOL=/path names a cnitool you have" >&2
    exit 1
}
tar -C "$work" -xf "$archive" --wildcards --strip-components=2 '*/cnitool/cnitool.go'
cd "$work"
GO111MODULE=off GOFLAGS='' GOPATH=/usr/share/gocode GOCACHE="$work/gocache" go build -o "$work/cnitool" cnitool.go
mv "$work/cnitool" "$folder/cnitool"
