#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-asan.sh BUILD: unit tests, system tests and the files of conf-examples on a build with sanitizers. Whatever a
# plugin's exit status became, each report of a sanitizer (a wild access, undefined behaviour, a leak) is a failed case.
# Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib/sum.sh
build=$(cd "${1:-build-asan}" && pwd) || exit 1
export CNI_BIN_DIR=$build/bin
reports=$build/sanitizer-reports # as tests/lib/sanitizer_options.cpp has it
rm -rf "$reports" && mkdir "$reports" || exit 1

tell_reports() {
    local report found=0
    for report in "$reports"/*; do
        [ -e "$report" ] || continue
        cat "$report"
        echo "FAIL $(basename "$report"): a sanitizer found the above"
        found=1
    done
    [ "$found" = 1 ] || echo "ok   no sanitizer found anything"
    return "$found"
}

count "$build/tests/unit/cnative_unit"
count tests/shards.sh "$build/tests/system/cnative_system"
count tests/examples.sh
count tell_reports
sum_up
