#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD [long]: every libFuzzer target for some seconds (long: many), two at a time, each from the corpus and
# the dictionary beside this file. What it finds stays in BUILD/fuzz/<target>.found/; what is new to a target in
# BUILD/fuzz/<target>.corpus/. A line a target; the last line is 'N passed, N failed'.
# SECONDS_EACH: for each target. TARGETS: some of them.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${1:-build-fuzz}" && pwd) || exit 1
program=$build/tests/fuzz/cnative_fuzz
each=${SECONDS_EACH:-3}
[ "${2:-}" = long ] && each=${SECONDS_EACH:-600}
work=$build/fuzz
mkdir -p "$work"
read -r -a targets <<<"${TARGETS:-$(cd tests/fuzz/corpus && echo *)}"

fuzz_one() { # fuzz_one TARGET: its line
    local target=$1 log=$work/$1.log found=$work/$1.found status=0 executions figures
    rm -rf "$found" && mkdir -p "$found" "$work/$target.corpus"
    ln -sf "$program" "$work/$target"
    "$work/$target" "$work/$target.corpus" "tests/fuzz/corpus/$target" -dict=tests/fuzz/dictionary \
        -max_total_time="$each" -max_len=8192 -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$found/" \
        -close_fd_mask=3 -print_final_stats=1 >"$log" 2>&1 || status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    figures=$(grep -oE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -1)
    if [ "$status" = 0 ] && [ "${executions:-0}" -gt 0 ]; then
        echo "ok   $target: $executions executions, $figures"
    else
        echo "FAIL $target: status $status after ${executions:-?} executions; see $log and $found/"
        grep -E '^(==[0-9]+==)?ERROR|runtime error|does not hold|SUMMARY' "$log" | head -5 | sed 's/^/     /'
    fi
}
export -f fuzz_one
export build program each work

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
printf '%s\n' "${targets[@]}" | xargs -P 2 -I {} bash -c 'fuzz_one {}' | tee "$lines"
passed=$(grep -c '^ok ' "$lines") failed=$((${#targets[@]} - $(grep -c '^ok ' "$lines")))
echo "$(sed -nE 's/^ok .*: ([0-9]+) executions.*/\1/p' "$lines" | awk '{ sum += $1 } END { print sum + 0 }') executions in all"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
