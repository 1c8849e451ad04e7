#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# all.sh BUILD-FUZZ BUILD [long]: the libFuzzer targets, then the plugins as a whole. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
inputs=6000
[ "${3:-}" = long ] && inputs=100000
count tests/fuzz/run.sh "$1" ${3:+"$3"}
count "$2/tests/fuzz/cnative_fuzz_plugins" --inputs "$inputs"
sum_up
