#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# old-kernel.sh BUILD: the system tests of what works with processes, files and sysctls, on a kernel without the system
# calls that tests/fault/oldkernel.cpp hides. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
build=${1:-build}
oldkernel=$(realpath "$build/tests/fault/oldkernel") || exit 1

# Whether the filter bites: a run that met none of the calls would prove nothing.
calls_are_hidden() {
    local trace
    trace=$(mktemp)
    echo '{"cniVersion":"1.0.0","name":"net","ipam":{"type":"host-local","subnet":"10.9.0.0/24"}}' |
        CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/none CNI_IFNAME=eth0 CNI_PATH=$CNI_BIN_DIR \
            strace -f -o "$trace" "$oldkernel" "$CNI_BIN_DIR/bridge" >/dev/null 2>&1
    if grep -q 'close_range(.*ENOSYS' "$trace"; then
        echo 'ok   close_range fails with ENOSYS'
    else
        echo 'FAIL the calls are not hidden'
    fi
    rm -f "$trace"
}

count calls_are_hidden
export PLUGIN_LAUNCHER=$oldkernel
count tests/shards.sh "$build/tests/system/cnative_system" \
    -tc='protocol:*,loopback:*,chain:*,recorded:*,host-local:*,gc:*,bridge: DEL*,bridge: IPv6*,attack: umask*'
sum_up
