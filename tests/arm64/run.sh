#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh PLUGINS OTHER SYSTEM-TESTS: the arm64 executables in PLUGINS under qemu-user, on a machine of another
# architecture, whose own are in OTHER. qemu-user has no nf_tables and little of rtnetlink, so what needs the kernel's
# network is left to a real machine: these are the promises of the files themselves, what they say beside the others,
# the system tests of host-local and of the protocol, and the packages. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
arm=$(realpath "$1") other=$(realpath "$2") system=$3

PLUGIN_LAUNCHER=qemu-aarch64 count tests/static_check.sh "$arm"
count tests/arm64/compare.sh "$arm" "$other"

# The tests call a plugin by its path, some from a shell: so each gets a script of its name.
scripts=$(mktemp -d)
trap 'rm -rf "$scripts"' EXIT
for file in "$arm"/*; do
    printf '#!/bin/sh\nexec qemu-aarch64 %s "$@"\n' "$file" >"$scripts/${file##*/}"
done
chmod 755 "$scripts" "$scripts"/*
needs_kernel=$(grep -v '^#' tests/arm64/needs-kernel.txt | sed 's/,/\\,/g' | paste -sd,)
CNI_BIN_DIR=$scripts count tests/shards.sh "$system" --test-case='host-local*,protocol*' --test-case-exclude="$needs_kernel"
count tests/package.sh arm64
sum_up
