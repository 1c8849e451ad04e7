#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch-libmnl.sh FOLDER: puts libmnl.a into FOLDER.
#
# Debian 12 ships no libmnl.a, Debian 13's libmnl-dev does, and that archive links against Debian 12's glibc. So take
# that one package from the mirror this machine already uses, check it, and unpack it into the build folder; nothing is
# installed. Two ways: the pinned file by its hash (one small download), else whatever version Debian 13 has now by a
# private apt state, which checks the signature of Debian's archive key.
set -eu

suite=trixie
version=1.0.5-3
folder=${1:?usage: fetch-libmnl.sh FOLDER}
arch=$(dpkg --print-architecture)
case $arch in
amd64) pin=7f9a7c3f470ec400171981816df189ec86b11083c3f8d391d0800ed09a87bfc3 ;;
*) pin= ;;
esac

[ -s "$folder/libmnl.a" ] && exit 0

give_up() {
    cat >&2 <<MESSAGE
fetch-libmnl: $*
  The static build needs libmnl.a, which this system lacks (Debian 12 ships only the shared library). Ways out:
  - give the folder of a libmnl.a that you have:  cmake -B build -DCNATIVE_MNL_DIR=/folder
  - build shared executables:                     cmake -B build -DCNATIVE_STATIC=OFF
MESSAGE
    exit 1
}

mkdir -p "$folder"
work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The mirrors of this Debian release, as apt itself reads them from the machine's sources (lists need not be there).
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirrors=$(apt-get update --print-uris | sed -n "s|^'\\(.*\\)/dists/$codename/InRelease' .*|\\1|p")
[ -n "$mirrors" ] || give_up "apt's sources name no mirror for '$codename'"

pinned() {
    [ -n "$pin" ] || return 1
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file \
        "$1/pool/main/libm/libmnl/libmnl-dev_${version}_$arch.deb" "$work/libmnl-dev.deb" "SHA256:$pin" \
        >>"$work/log" 2>&1
}

signed() {
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
    echo "deb [arch=$arch signed-by=/usr/share/keyrings/debian-archive-keyring.gpg target=Packages lang=none]" \
        "$1 $suite main" >"$work/sources.list"
    set -- -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o Dir::State::status=/dev/null \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root
    apt-get "$@" update >>"$work/log" 2>&1 || return 1
    (cd "$work" && apt-get "$@" download libmnl-dev) >>"$work/log" 2>&1 || return 1
    mv "$work"/libmnl-dev_*.deb "$work/libmnl-dev.deb"
}

echo "fetch-libmnl: taking libmnl.a from $suite's libmnl-dev, into $folder (nothing is installed)"
for way in pinned signed; do
    for mirror in $mirrors; do
        [ -s "$work/libmnl-dev.deb" ] || "$way" "$mirror" || rm -f "$work/libmnl-dev.deb"
    done
done
[ -s "$work/libmnl-dev.deb" ] || {
    sed 's/^/  apt: /' "$work/log" >&2
    give_up "could not download libmnl-dev of $suite from $(echo "$mirrors" | tr "\n" " ")"
}
dpkg-deb -x "$work/libmnl-dev.deb" "$work/root"
archive=$(find "$work/root" -name libmnl.a)
[ -n "$archive" ] || give_up "libmnl-dev of $suite has no libmnl.a"
mv "$archive" "$folder/libmnl.a"
