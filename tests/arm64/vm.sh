#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm.sh PLUGINS TESTS FOLDER: system tests, which TESTS has for arm64, of the arm64 executables in PLUGINS, on Debian's
# arm64 kernel in a virtual machine, whose files are made in FOLDER: a chain, lo, and what GC and STATUS find of every
# plugin. Not all: on an emulated processor these did not end within 50 minutes. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/sum.sh
plugins=$(realpath "$1") tests=$(realpath "$2") folder=$(realpath -m "$3")

mkdir -p "$folder"
tests/arm64/root.sh "$folder/root" >"$folder/root.log" || { cat "$folder/root.log" && exit 1; }
rm -rf "$folder/root$PWD"
mkdir -p "$folder/root$PWD"
cp --parents -r tests conf-examples "$folder/root$PWD"
(cd / && cp --parents -r ".$plugins" ".$tests"/{fault/failat,fault/oldkernel,system/cnative_system} "$folder/root")

export VM_ARCH=arm64 VM_ROOT=$folder/root VM_DIR=$folder/root/vm APT_CONFIG=$folder/root.apt/apt.conf
count tests/vm/run.sh env CNI_BIN_DIR="$plugins" "$tests/system/cnative_system" --test-case='chain*,loopback*,gc: *,status*'
sum_up
