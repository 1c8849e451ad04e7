#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [long]: the fault campaigns; `long`: each call, otherwise the kill sweep takes every 2nd system call, every 10th of
# the IPAM child, and the error sweep every 60th fault. All of them at once, each on a host of its own, for they wait more
# than they work. Closing line: 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/sum.sh
. tests/lib/sum.sh

kill_steps=(2 10) error_step=60
[ "${1:-}" != long ] || kill_steps=(1 1) error_step=1
beside tests/fault/kill-sweep.sh "${kill_steps[@]}" bridge child parent all recovery
beside tests/fault/kill-sweep.sh "${kill_steps[@]}" fresh host-local portmap firewall tuning bandwidth networks
beside tests/fault/error-sweep.sh "$error_step"
beside tests/fault/waiting.sh
count tests/fault/old-kernel.sh
count_besides
sum_up
