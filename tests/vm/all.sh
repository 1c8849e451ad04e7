#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# all.sh BUILD [long]: on Debian's stock kernel: STATUS where bridge or veth is missing, then system tests (long: all of
# them), and bridge with VLANs killed at some of its system calls (long: at each). Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
build=$(cd "$1" && pwd)
bin=${CNI_BIN_DIR:-$PWD/bin}
cases='gc: *,status: *,bridge vlan*,portmap: *many ports*,portmap: *gone*'
step=250
[ "${2:-}" = long ] && cases='*' step=1
for pair in bridge:CONFIG_BRIDGE veth:CONFIG_VETH; do
    if NO_MODULES=${pair%:*} tests/vm/run.sh tests/vm/status.sh "$bin" "${pair#*:}" >/dev/null; then
        echo "ok   STATUS on a kernel without ${pair%:*} names ${pair#*:}"
        passed=$((passed + 1))
    else
        echo "FAIL STATUS on a kernel without ${pair%:*} names ${pair#*:}"
        failed=$((failed + 1))
    fi
done
count tests/vm/run.sh env CNI_BIN_DIR="$bin" "$build/tests/system/cnative_system" "-tc=$cases"
count env VM_SECONDS=5400 tests/vm/run.sh env SWEEP_VLAN=1 CNI_BIN_DIR="$bin" FAILAT="$build/tests/fault/failat" \
    tests/fault/kill-sweep.sh "$step" "$step" bridge
sum_up
