#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# static_check.sh FOLDER: what every plugin executable promises, read from the files themselves.
# PLUGIN_LAUNCHER: what runs those of another architecture.
set -u
folder=${1:-bin}
limit=1363148 # 1.3 MiB

verify() { # WHAT COMMAND…
    if "${@:2}"; then echo "ok   $1"; else echo "FAIL $1" && failed=1; fi
}
failed=0

headers() { readelf -lW "$1"; }
dynamic() { readelf -dW "$1"; }
no_interpreter() { ! headers "$1" | grep -q INTERP; }
no_libraries() { ! dynamic "$1" | grep -q NEEDED; }
position_independent() { dynamic "$1" | grep -q 'FLAGS_1.*PIE' && readelf -hW "$1" | grep -q 'Type:.*DYN'; }
exception_header() { headers "$1" | grep -q GNU_EH_FRAME; }
relro() { headers "$1" | grep -q GNU_RELRO; }
bind_now() { dynamic "$1" | grep -qE 'BIND_NOW|FLAGS.*NOW'; }
stack_not_executable() { headers "$1" | grep -q 'GNU_STACK.* RW '; }
stripped() { ! readelf -SW "$1" | grep -qE '\.symtab|\.debug_info'; }
small() { [ "$(stat -c %s "$1")" -le "$limit" ]; }

says() { ${PLUGIN_LAUNCHER:-} "$1" --version </dev/null; }
# "bridge 0.1.0 (commit 0123abcd…)" and the licence; an executable with libnftnl inside is conveyed under GPL-3.0.
version_line() {
    local said
    said=$(says "$1") || return
    grep -q "$(basename "$1")" <<<"$said" && grep -qE '[0-9]+\.[0-9]+\.[0-9]+' <<<"$said" &&
        grep -qE '\b[0-9a-f]{7,}|unknown' <<<"$said" && grep -q 'Apache-2.0' <<<"$said"
}
licence_of_libnftnl() {
    if grep -qa 'nftnl_\|libnftnl' "$1"; then says "$1" | grep -q 'GPL'; fi
}

for file in "$folder"/*; do
    [ -f "$file" ] || { echo "FAIL no plugin in $folder" && exit 1; }
    name=$(basename "$file")
    verify "$name has no interpreter" no_interpreter "$file"
    verify "$name needs no library" no_libraries "$file"
    verify "$name is position-independent" position_independent "$file"
    verify "$name has an exception header" exception_header "$file"
    verify "$name has RELRO" relro "$file"
    verify "$name binds everything at start" bind_now "$file"
    verify "$name has no executable stack" stack_not_executable "$file"
    verify "$name is stripped" stripped "$file"
    verify "$name is at most $limit bytes" small "$file"
    verify "$name --version names suite version, commit and licence" version_line "$file"
    verify "$name --version names the licence of what is linked in" licence_of_libnftnl "$file"
done
exit $failed
