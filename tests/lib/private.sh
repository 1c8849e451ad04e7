# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # used by those who source it
# Sourced in the repository's root, at the head of a script: what follows runs in a private host of its own and has an
# empty folder to work in, $work.
. tests/lib/runtime.sh
. tests/lib/traffic.sh
enter_private_host "$0" "$@"
started=$(date +%s%N)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
