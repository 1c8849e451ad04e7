#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [long]: the fault campaigns one after the other; the short form fails every 40th call only, `long` each.
# Closing line: 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib/sum.sh
. tests/lib/sum.sh

count tests/fault/kill-sweep.sh
if [ "${1:-}" = long ]; then
    count tests/fault/error-sweep.sh
else
    count tests/fault/error-sweep.sh 40
fi
sum_up
