#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [long]: the fault campaigns; `long`: each call, otherwise the kill sweep takes every 2nd system call, every 10th of
# the IPAM child, and the error sweep every 60th fault. What waits does so beside them.
# Closing line: 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/sum.sh
. tests/lib/sum.sh

waiting=$(mktemp)
trap 'rm -f "$waiting"' EXIT
tests/fault/waiting.sh >"$waiting" 2>&1 &
pid=$!
count tests/fault/old-kernel.sh
if [ "${1:-}" = long ]; then
    count tests/fault/kill-sweep.sh
    count tests/fault/error-sweep.sh
else
    count tests/fault/kill-sweep.sh 2 10
    count tests/fault/error-sweep.sh 60
fi
wait "$pid"
# shellcheck disable=SC2016 # the shell of the line expands them
count sh -c 'cat "$1"; exit "$2"' tests/fault/waiting.sh "$waiting" $?
sum_up
