#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# uninstall.sh FROM NAME…: removes the plugins of these names from FROM. The Go suite's have the same names, so only an
# executable that says in itself that it is ours is removed, and none that a package of the system brought.
set -eu
from=$1
shift
[ -d "$from" ] || exit 0
exec 9<"$from" && flock 9
rm -f "$from"/.*.cnative-new
for name in "$@"; do
    file=$from/$name
    if [ -L "$file" ] || { [ -e "$file" ] && ! grep -aqs ' (cnative) [0-9.]*, commit ' "$file"; }; then
        echo "$file stays: it is not one of cnative's"
    elif dpkg-query --search "$file" >/dev/null 2>&1; then
        echo "$file stays: it belongs to a package"
    elif [ -e "$file" ]; then
        rm -f "$file"
        echo "$file is removed"
    fi
done
