#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check-abi.sh PREFIX SPECS LIBC ARCHIVE…: whether archives compiled for glibc may be linked with musl's LIBC. PREFIX is
# that of a cross compiler, whose programs are run by qemu, or empty; with SPECS it compiles for musl.
# Debian has the netlink libraries for glibc only. They are C, and what they can touch of libc is a list of symbols:
# each must be in abi.txt, which says why it means the same in both, and what crosses the border must look the same to
# both, which abi.c prints. A new symbol is a failure: look at it first.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cross=$1 specs=$2 libc=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wanted() { "${cross}nm" -P "$@" 2>/dev/null | awk '$2 ~ /^[Uw]$/ { print $1 }' | sort -u; }
defined() { "${cross}nm" -P "$@" 2>/dev/null | awk '$2 ~ /^[^Uw]$/ { print $1 }' | sort -u; }
listed() { sed -n "s/^\\([a-z_][a-z_0-9]*\\) $1.*/\\1/p" "$here/abi.txt" | sort -u; } # listed HOW
fail() { echo "check-abi: $1 $(tr '\n' ' ' <"$2")" >&2 && exit 1; }

wanted "$@" >"$work/wanted"
defined "$@" >"$work/own"
comm -23 "$work/wanted" "$work/own" >"$work/of-libc"
listed '[a-z]' | comm -23 "$work/of-libc" - >"$work/unknown"
[ ! -s "$work/unknown" ] || fail "used of libc, but not looked at in abi.txt:" "$work/unknown"
{ defined "$libc" && listed ours; } | sort -u | comm -23 "$work/of-libc" - >"$work/missing"
[ ! -s "$work/missing" ] || fail "neither in $libc nor ours:" "$work/missing"

run() { if [ -z "$cross" ]; then "$1"; else "qemu-${cross%%-*}" "$1"; fi; }
"${cross}gcc" -static -o "$work/glibc" "$here/abi.c" && run "$work/glibc" >"$work/glibc.txt"
"${cross}gcc" -specs="$specs" -static -o "$work/musl" "$here/abi.c" && run "$work/musl" >"$work/musl.txt"
awk '{ value = $NF; sub(/ [^ ]*$/, "") }
    NR == FNR { glibc[$0] = value; next }
    !($0 in glibc) || (/^at most / ? value + 0 > glibc[$0] + 0 : value != glibc[$0]) { print $0, glibc[$0], value ";" }
    ' "$work/glibc.txt" "$work/musl.txt" >"$work/differ"
[ ! -s "$work/differ" ] || fail "these differ between glibc and musl:" "$work/differ"
echo "check-abi: looked at $(wc -l <"$work/of-libc") symbols of libc, compared $(wc -l <"$work/musl.txt") facts"
