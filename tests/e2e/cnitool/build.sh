#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: puts cnitool into FOLDER. Debian packages the libraries it is made of (golang-github-appc-cni-dev) but
# not its one file, which is in the source package.
set -eu

program=cnitool
source=golang-github-appc-cni
file=golang-github-appc-cni_1.1.2.orig.tar.xz
pin=d16939874ef2e2ff2e34970e2ef62bac910a518b17f3bd2e72bfd05096a1dfec
# shellcheck source=tests/e2e/from-source.sh
. "$(dirname "$0")/../from-source.sh"

tar -C "$work" -xf "$archive" --wildcards --strip-components=2 '*/cnitool/cnitool.go'
cd "$work"
GO111MODULE=off GOFLAGS='' GOPATH=/usr/share/gocode GOCACHE="$work/gocache" go build -o "$work/cnitool" cnitool.go
mv "$work/cnitool" "$folder/cnitool"
