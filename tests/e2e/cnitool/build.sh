#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: puts cnitool into FOLDER. Debian packages the libraries it is made of (golang-github-appc-cni-dev) but
# not its one file, which is in the source package: taken from the mirror this machine uses, the pinned one by its
# hash, else whatever version this Debian has, by a private apt state, which checks the signature. Nothing is installed.
set -eu

folder=${1:?usage: build.sh FOLDER}
source=golang-github-appc-cni
pin=d16939874ef2e2ff2e34970e2ef62bac910a518b17f3bd2e72bfd05096a1dfec
pinned_file=${source}_1.1.2.orig.tar.xz

[ ! -x "$folder/cnitool" ] || exit 0
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/source.XXXXXX")
trap 'rm -rf "$work"' EXIT
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirrors=$(apt-get update --print-uris | sed -n "s|^'\\(.*\\)/dists/$codename/InRelease' .*|\\1|p")

pinned() { # MIRROR
    [ "$codename" = bookworm ] || return 1
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1/pool/main/g/$source/$pinned_file" \
        "$work/$pinned_file" "SHA256:$pin" >>"$work/log" 2>&1
}
signed() { # MIRROR
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg lang=none] $1 $codename main" >"$work/sources.list"
    set -- -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o Dir::State::status=/dev/null \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root
    apt-get "$@" update >>"$work/log" 2>&1 || return 1
    (cd "$work" && apt-get "$@" source --download-only "$source") >>"$work/log" 2>&1
}
fetched() { find "$work" -maxdepth 1 -name "${source}_*.orig.tar.*" | head -n 1; }

for way in pinned signed; do
    for mirror in $mirrors; do
        [ -n "$(fetched)" ] || "$way" "$mirror" || true
    done
done
[ -n "$(fetched)" ] || {
    sed 's/^/  apt: /' "$work/log" >&2
    echo "build.sh: no source package of $source from $(echo "$mirrors" | tr '\n' ' '); CNITOOL=/path names a cnitool you have" >&2
    exit 1
}
tar -C "$work" -xf "$(fetched)" --wildcards --strip-components=2 '*/cnitool/cnitool.go'
cd "$work"
GO111MODULE=off GOFLAGS='' GOPATH=/usr/share/gocode GOCACHE="$work/gocache" go build -o "$work/cnitool" cnitool.go
mv "$work/cnitool" "$folder/cnitool"
