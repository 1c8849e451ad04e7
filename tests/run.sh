#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD: every test there is, against the plugins in CNI_BIN_DIR. The last line is the sum: 'N passed, N failed'.
# Doctest executables of BUILD/tests, whose summary line is read, and scripts of this folder, which print a line 'ok …',
# 'FAIL …' or 'skip …' a case.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib/sum.sh
build=${1:-build}

count "$build/tests/unit/cnative_unit"
count tests/shards.sh "$build/tests/system/cnative_system"
count tests/static_check.sh "$CNI_BIN_DIR"
count tests/examples.sh
sum_up
