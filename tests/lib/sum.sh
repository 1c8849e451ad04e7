# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# count PROGRAM …: runs it, shows what it says, adds its cases to the sum; sum_up: the closing line and exit status.
# beside PROGRAM …: starts one that is to run beside others; count_besides: waits for these, then the same for each.
passed=0 failed=0 skipped=0
besides=()

count() {
    local log
    log=$(mktemp)
    echo "=== $*"
    "$@" </dev/null 2>&1 | tee "$log"
    add_up "$log" "${PIPESTATUS[0]}" "$1"
}

beside() {
    local log
    log=$(mktemp)
    "$@" </dev/null >"$log" 2>&1 &
    besides+=("$! $log $*")
}

count_besides() {
    local pid log program status
    for each in "${besides[@]}"; do
        read -r pid log program <<<"$each"
        wait "$pid"
        status=$?
        echo "=== $program"
        cat "$log"
        add_up "$log" "$status" "$program"
    done
    besides=()
}

add_up() { # add_up LOG STATUS PROGRAM; the log is removed
    local log=$1 status=$2 p f s
    # A closing line 'N passed, N failed' is taken at its word; else doctest's summary, "[doctest] test cases: 12 |
    # 11 passed | 1 failed | 3 skipped"; else one line a case.
    read -r p f s < <(awk '
        /^[0-9]+ passed, [0-9]+ failed/ { closing = 1; cp = $1; cf = $3; cs = $5 }
        /^\[doctest\] test cases:/ {
            for (i = 2; i <= NF; i++) {
                if ($i == "passed") p += $(i - 1)
                if ($i == "failed") f += $(i - 1)
                if ($i == "skipped") s += $(i - 1)
            }
        }
        /^ *ok / { p++ } /^ *FAIL / { f++ } /^ *skip / { s++ }
        END { if (closing) { p = cp; f = cf; s = cs } print p + 0, f + 0, s + 0 }' "$log")
    # A program that ended badly without a failed case (a crash, a missing file) is itself one.
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then
        echo "FAIL $3 ended with status $status"
        f=1
    elif [ "$status" = 0 ] && [ "$p" = 0 ] && [ "$f" = 0 ] && [ "$s" = 0 ]; then
        echo "FAIL $3 ran no test"
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    rm -f "$log"
}

sum_up() {
    local line="$passed passed, $failed failed"
    [ "$skipped" = 0 ] || line="$line, $skipped skipped"
    echo "$line"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
