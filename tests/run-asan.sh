#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-asan.sh BUILD [CASES]: unit tests, system tests and the files of conf-examples on a build with sanitizers, and in
# a virtual machine what needs a kernel that filters VLANs; or only these system cases, here. Whatever a plugin's exit
# status became, each report of a sanitizer (a wild access, undefined behaviour, a leak) is a failed case. Last line: 'N
# passed, N failed'.
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

if [ -n "${2:-}" ]; then
    count "$build/tests/system/cnative_system" "-tc=$2"
else
    count "$build/tests/unit/cnative_unit"
    count tests/shards.sh "$build/tests/system/cnative_system"
    count tests/examples.sh
    count env VM_SECONDS=3600 tests/vm/run.sh tests/run-asan.sh "$build" 'bridge vlan*'
fi
count tell_reports
sum_up
