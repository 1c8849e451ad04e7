#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh BUILD: every rule that a program can hold us to. Prints a line a rule; the first broken ones say where.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
mapfile -t all < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.h')
mapfile -t code < <(printf '%s\n' "${all[@]}" | grep -E '^(pkg|plugins)/')
mapfile -t units < <(printf '%s\n' "${code[@]}" | grep '\.cpp$')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)

rule() { # rule NAME COMMAND…: nothing on stdout and status 0 is a pass
    local name=$1 said
    shift
    if said=$("$@" 2>&1) && [ -z "$said" ]; then
        echo "ok   $name"
    else
        echo "FAIL $name"
        head -200 <<<"$said" | sed 's/^/     /'
        broken=1
    fi
}
broken=0

formatted() { clang-format --dry-run -Werror "${all[@]}"; }
tidy() { # what it counts and suppresses goes to stderr: only findings are of interest
    printf '%s\n' "${units[@]}" | xargs -P 2 -n 1 clang-tidy -quiet -p "$build" 2>/dev/null |
        grep -A2 -E ' (error|warning): ' || true
}
short() { wc -l "${all[@]}" "${scripts[@]}" | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines, 600 at most" }'; }
licensed() { grep -L 'SPDX-License-Identifier: Apache-2.0' "${all[@]}" "${scripts[@]}"; true; }
shells() { shellcheck -x "${scripts[@]}"; }

# What each forbidden pattern costs is in CONTRIBUTING.md.
forbidden() {
    grep -nE '#include <(iostream|sstream|fstream|regex|locale|thread|filesystem|format|iomanip)>' "${code[@]}"
    grep -nE 'std::(filesystem|regex|cout|cerr|this_thread)|\b(mnl_socket_open|system|popen|sleep|usleep|getenv_s|strcpy|sprintf)\(' \
        "${code[@]}" | grep -vE '^[^:]*:[0-9]+: *(//|\*)'
    grep -nE '\b(nl_addr_info|nl_addr_resolve|nl_str2ip_proto|rtnl_link_alloc_cache|rtnl_route_alloc_cache)\(' "${code[@]}"
    grep -nE '"([^"]*/)?(iptables|ip6tables|nft|ip|tc|ebtables|conntrack)"' "${code[@]}" | grep -E 'exec|spawn|Child'
    true
}

if [ "${2:-}" = quick ]; then unset -f tidy && tidy() { :; }; fi
rule 'clang-format' formatted
rule 'includes point one way' .ci/check-includes.sh
rule 'forbidden patterns' forbidden
rule 'no file over 600 lines' short
rule 'every file names its licence' licensed
rule 'shellcheck' shells
rule 'clang-tidy' tidy
exit $broken
