#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh FROM TO: installs every plugin of FROM into TO. A runtime may call a plugin at any moment, so each file
# is written beside its place, synced, and renamed over it: there is always a whole one, old or new. What an install that
# was killed left beside is removed by the next one, and by uninstall.sh.
set -eu
from=$1 to=$2
mkdir -p "$to"
exec 9<"$to" && flock 9 # one at a time: the names beside are the same each time
trap 'rm -f "$to"/.*.cnative-new' EXIT
trap 'exit 1' HUP INT TERM
rm -f "$to"/.*.cnative-new
for file in "$from"/*; do
    name=$(basename "$file")
    beside=$to/.$name.cnative-new
    cat "$file" >"$beside"
    chmod 755 "$beside"
    sync "$beside"
    mv -fT "$beside" "$to/$name"
    echo "$to/$name"
done
sync "$to"
