#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh FROM TO: installs every plugin of FROM into TO. A runtime may call a plugin at any moment, so each file
# is written beside its place, synced, and renamed over it: there is always a whole one, old or new.
set -eu
from=$1 to=$2
mkdir -p "$to"
for file in "$from"/*; do
    name=$(basename "$file")
    beside=$(mktemp "$to/.$name.XXXXXX")
    trap 'rm -f "$beside"' EXIT
    cat "$file" >"$beside"
    chmod 755 "$beside"
    sync "$beside"
    mv -fT "$beside" "$to/$name"
    echo "$to/$name"
done
sync "$to"
trap - EXIT
