#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch-deb.sh SUITE ARCH FOLDER PACKAGE…: unpacks Debian packages into FOLDER and installs nothing; FOLDER/packages says
# which: name, version, architecture, source package and its version, a line each.
#
# For what the machine's own packages cannot give: libmnl.a, and the archives of another architecture. From the mirror
# this machine already uses. Two ways: the files of debs.txt by their hashes, else whatever version SUITE has now by a
# private apt state, which checks the signature of Debian's archive key.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
suite=${1:?usage: fetch-deb.sh SUITE ARCH FOLDER PACKAGE…} arch=$2
mkdir -p "$3"
folder=$(cd "$3" && pwd)
shift 3

work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
fail() {
    sed 's/^/  apt: /' "$work/log" >&2
    echo "fetch-deb: $*" >&2
    exit 1
}
: >"$work/log"

# The mirrors of this Debian release, as apt itself reads them from the machine's sources (lists need not be there).
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirrors=$(apt-get update --print-uris | sed -n "s|^'\\(.*\\)/dists/$codename/InRelease' .*|\\1|p")
[ -n "$mirrors" ] || fail "apt's sources name no mirror for '$codename'"

pinned() { # MIRROR PACKAGE
    pin=$(awk -v key="$suite $arch $2" '$1 " " $2 " " $3 == key { print $4, $5 }' "$here/debs.txt")
    [ -n "$pin" ] || return 1
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1/pool/main/${pin% *}" "$work/$2.deb" \
        "SHA256:${pin#* }" >>"$work/log" 2>&1
}

signed() { # MIRROR PACKAGE
    mirror=$1 package=$2
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
    echo "deb [arch=$arch signed-by=/usr/share/keyrings/debian-archive-keyring.gpg target=Packages lang=none]" \
        "$mirror $suite main" >"$work/sources.list"
    set -- -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Sandbox::User=root \
        -o Dir::State="$work/state" -o Dir::Cache="$work/cache" -o Dir::State::status=/dev/null \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    apt-get "$@" update >>"$work/log" 2>&1 || return 1
    (cd "$work" && apt-get "$@" download "$package") >>"$work/log" 2>&1 || return 1
    mv "$work/$package"_*.deb "$work/$package.deb"
}

for package in "$@"; do
    for way in pinned signed; do
        for mirror in $mirrors; do
            [ -s "$work/$package.deb" ] || "$way" "$mirror" "$package" || rm -f "$work/$package.deb"
        done
    done
    [ -s "$work/$package.deb" ] ||
        fail "could not download $package of $suite ($arch) from $(echo "$mirrors" | tr '\n' ' ')"
    dpkg-deb --extract "$work/$package.deb" "$folder"
    # shellcheck disable=SC2016 # for dpkg
    dpkg-deb --show --showformat='${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n' \
        "$work/$package.deb" >>"$folder/packages"
done
sort -uo "$folder/packages" "$folder/packages"
