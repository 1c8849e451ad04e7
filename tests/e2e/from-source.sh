# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # what it shares with the scripts that source it
# from-source.sh: how a client's build.sh begins, which sources it. For `build.sh FOLDER` with the variables program,
# source, file and pin it ends the script when FOLDER has the program already; else it sets folder (FOLDER), work (a
# folder that goes when the script ends) and archive (the upstream archive, as source-package.sh gets it).

folder=${1:?usage: build.sh FOLDER}
[ ! -x "$folder/$program" ] || exit 0
e2e=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/source.XXXXXX")
trap 'rm -rf "$work"' EXIT

give_up() { # WHY: says how to do without this script
    echo "build.sh: ${1:+$1; }$(echo "$program" | tr '[:lower:]' '[:upper:]')=/path names a $program you have" >&2
    exit 1
}
archive=$("$e2e/source-package.sh" "$work" "$source" "$file" "$pin") || give_up ''
