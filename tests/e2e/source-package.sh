#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# source-package.sh FOLDER SOURCE FILE SHA256: puts the upstream archive of a Debian source package into FOLDER and says its
# path. From the mirror this machine uses: in bookworm FILE, by its hash, else whatever version this Debian has, by a
# private apt state, which checks the signature. Nothing is installed.
set -eu

folder=$1 source=$2 pinned_file=$3 pin=$4
work=$(mktemp -d "$folder/apt.XXXXXX")
trap 'rm -rf "$work"' EXIT
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirrors=$(apt-get update --print-uris | sed -n "s|^'\\(.*\\)/dists/$codename/InRelease' .*|\\1|p")

pinned() { # MIRROR
    [ "$codename" = bookworm ] || return 1
    /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1/pool/main/$(echo "$source" | cut -c1)/$source/$pinned_file" \
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
    echo "no source package of $source from $(echo "$mirrors" | tr '\n' ' ')" >&2
    exit 1
}
mv "$(fetched)" "$folder/"
find "$folder" -maxdepth 1 -name "${source}_*.orig.tar.*"
