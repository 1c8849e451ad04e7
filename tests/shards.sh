#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shards.sh PROGRAM: the cases of a doctest program in three processes at once, for most of them wait most of the time,
# and each lives in namespaces of its own. Prints what they print, one after the other; last line: 'N passed, N failed,
# N skipped'.
set -u
program=$1 shards=3
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
total=$("$program" --count | awk '/passing the current filters/ { print $NF }')
status=0 pids=()
for ((i = 0; i < shards; ++i)); do
    "$program" --first=$((total * i / shards + 1)) --last=$((total * (i + 1) / shards)) </dev/null >"$logs/$i" 2>&1 &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || status=1
done
cat "$logs"/*
awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { ends++; p += $1; f += $3; s += $5 }
    END {
        if (ends != '"$shards"') { print "FAIL a part of the cases came to no end"; f++ }
        print p + 0 " passed, " f + 0 " failed, " s + 0 " skipped"
    }' "$logs"/*
exit $status
