#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shards.sh PROGRAM [FILTER…]: the cases of a doctest program, six handfuls of them at once, for most cases wait most of
# the time, and each lives in namespaces of its own. Prints what they print, one after the other, and then the sum: 'N passed,
# N failed, N skipped'.
set -u
at_once=6 handful=4
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
total=$("$@" --count | awk '/passing the current filters/ { print $NF }')
status=0
# shellcheck disable=SC2016 # the inner shell's variables
seq -f '%04.0f' 1 "$handful" "$total" | # the names sort as the cases do
    xargs -P "$at_once" -I '{}' bash -c '
        log=$1/$2 last=$((10#$2 + $3 - 1)) && "${@:4}" --first="$2" --last="$last" >"$log" 2>&1 </dev/null
    ' - "$logs" '{}' "$handful" "$@" || status=1
grep -hvE '^(=+|\[doctest\] .*|[0-9]+ passed, .*)$' "$logs"/* # the sums of handfuls say nothing
awk -v total="$total" '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $1; f += $3; s += $5 }
    END {
        if (p + f + s < total) { print "FAIL " total - p - f - s " cases came to no end"; f++ }
        print p + 0 " passed, " f + 0 " failed, " s + 0 " skipped"
    }' "$logs"/*
exit $status
