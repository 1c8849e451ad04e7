#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check-abi.sh LIBC ARCHIVE…: whether archives compiled for glibc may be linked with musl's LIBC.
# Debian has the netlink libraries for glibc only. They are C, and what of libc they can touch is a list of symbols:
# each must be in abi.txt, which says why it means the same in both (or is not musl's but ours), and every structure
# that crosses the border must have the same layout, which abi.c prints. A new symbol is a failure: look at it first.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
libc=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

symbols() { nm -P "$@" 2>/dev/null | awk 'NF >= 2 && $2 '"$test"' /^[Uw]$/ { print $1 }' | sort -u; }
test='~' symbols "$@" >"$work/wanted"
test='!~' symbols "$@" >"$work/own"
test='!~' symbols "$libc" >"$work/libc"
sed -n 's/^\([a-z_][^ ]*\) .*/\1/p' "$here/abi.txt" | sort -u >"$work/looked-at"
comm -23 "$work/wanted" "$work/own" >"$work/of-libc"
bad=$(comm -23 "$work/of-libc" "$work/looked-at")
[ -z "$bad" ] || { echo "check-abi: used of libc, but not looked at in abi.txt:" $bad && exit 1; }
sed -n 's/^\([a-z_][^ ]*\)  *ours.*/\1/p' "$here/abi.txt" | sort -u >"$work/ours"
missing=$(comm -23 "$work/of-libc" "$work/ours" | comm -23 - "$work/libc")
[ -z "$missing" ] || { echo "check-abi: not in $libc:" $missing && exit 1; }

gcc -o "$work/glibc" "$here/abi.c" && musl-gcc -static -o "$work/musl" "$here/abi.c"
"$work/glibc" >"$work/glibc.txt" && "$work/musl" >"$work/musl.txt"
diff "$work/glibc.txt" "$work/musl.txt" || { echo "check-abi: glibc and musl lay these out differently" && exit 1; }
echo "check-abi: $(wc -l <"$work/of-libc") symbols of libc looked at, $(wc -l <"$work/musl.txt") layouts the same"
