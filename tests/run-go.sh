#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-go.sh BUILD: the system tests against the Go plugins in GO_BIN_DIR, or else Debian 12's. tests/system/differs*.txt
# list the cases in which these are known to differ, a line each: 'case name | reason'. A case is ok when it passes and is
# not listed, or fails and is; a reason that says 'may pass by chance' allows both. For a suite that knows CNI 1.1.0
# tests/system/go-1.9.txt has the last word: 'the same' for a reason takes the case off the list.
# Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 1
program=${1:-build}/tests/system/cnative_system
log=${1:-build}/run-go.log # what the tests themselves said
export GO_BIN_DIR=${GO_BIN_DIR:-/usr/lib/cni}

lists=(tests/system/differs*.txt)
versions=$(CNI_COMMAND=VERSION "$GO_BIN_DIR/bridge" </dev/null) || { echo "FAIL $GO_BIN_DIR has no bridge" && exit 1; }
[[ $versions != *1.1.0* ]] || lists+=(tests/system/go-1.9.txt)
CNI_BIN_DIR=$GO_BIN_DIR tests/shards.sh "$program" >"$log" 2>&1
cat "${lists[@]}" | awk -F ' [|] ' -v log_file="$log" '
    /^#/ || NF < 2 { next }
    $2 == "the same" { delete reason[$1]; next }
    { reason[$1] = $2 }
    function verdict(word, name, why) { print word " " name (why == "" ? "" : ": " why); if (word == "ok  ") p++; else f++ }
    END {
        while ((getline line < log_file) > 0) {
            if (line !~ /^(ok|FAIL|SKIPPED): /) continue
            result = line; sub(/:.*/, "", result)
            name = line; sub(/^[A-Z]*[a-z]*: /, "", name)
            if (result == "SKIPPED") { # the name, then why; its "ok:" follows
                for (n in reason) if (index(name, n ": ") == 1) skip[n] = 1
                s++; was_skipped = 1; continue
            }
            seen[name] = 1
            if (was_skipped) { was_skipped = 0; continue }
            if (result == "FAIL" && !(name in reason)) verdict("FAIL", name, "differs, and is not listed")
            else if (result == "ok" && name in reason && reason[name] !~ /may pass by chance/)
                verdict("FAIL", name, "is listed as different, but passes")
            else if (name in reason) verdict("ok  ", name, "differs: " reason[name])
            else verdict("ok  ", name, "")
        }
        for (name in reason) if (!(name in seen) && !(name in skip)) verdict("FAIL", name, "is listed, but there is no such case")
        if (p + f == 0) { print "FAIL no case ran"; f = 1 }
        print p + 0 " passed, " f + 0 " failed" (s ? ", " s " skipped" : "")
        exit f != 0
    }'
