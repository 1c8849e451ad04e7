# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Checks as a user would make them: traffic that is really sent, and what is left afterwards. Used with runtime.sh.
passed=0 failed=0

title() { printf '\n== %s\n' "$*"; }
not() { ! "$@"; }

check() { # WHAT COMMAND…: one line a check; what the command said is shown when it failed, or when CNI_SHOW=1
    local what=$1 said status=0
    shift
    said=$(mktemp)
    "$@" >"$said" 2>&1 || status=$?
    if [ "$status" != 0 ] || [ "${CNI_SHOW:-}" = 1 ]; then cat "$said"; fi
    if [ "$status" = 0 ]; then
        echo "ok   $what"
        passed=$((passed + 1))
    else
        echo "FAIL $what"
        failed=$((failed + 1))
    fi
    rm -f "$said"
}

verdict() { # STARTED (nanoseconds)
    printf '\n%d.%01d s\n' $((($(date +%s%N) - $1) / 1000000000)) $((($(date +%s%N) - $1) / 100000000 % 10))
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}

at() { # NETNS|host COMMAND…
    if [ "$1" = host ]; then "${@:2}"; else inside "$@"; fi
}

# The first address, gateway of family 4 or 6 in the last result (of version 0.3.0 or later).
address() { jq -r --arg dot "$([ "$1" = 4 ] && echo . || echo :)" \
    'first(.ips[]?.address | select(contains($dot)) | split("/")[0])' <<<"$CNI_RESULT"; }
gateway() { jq -r --arg dot "$([ "$1" = 4 ] && echo . || echo :)" \
    'first(.ips[]?.gateway // empty | select(contains($dot)))' <<<"$CNI_RESULT"; }

ping_from() { # NETNS ADDRESS
    at "$1" ping -n -q -c 1 -W 1 "$2" || at "$1" ping -n -q -c 3 -i 0.5 -W 1 "$2"
}

# Answers each connection with "NETNS ADDRESS-OF-THE-PEER".
serve() { # NETNS PORT
    local ns=$1 family
    for family in 4 6; do
        at "$ns" socat "TCP$family-LISTEN:$2,fork,reuseaddr$([ $family = 6 ] && echo ,ipv6only)" \
            SYSTEM:"echo $ns \$SOCAT_PEERADDR" &
    done
    listening "$ns" "-t" "$2"
}
serve_udp() { # NETNS PORT
    local ns=$1 family
    for family in 4 6; do
        at "$ns" socat "UDP$family-LISTEN:$2,fork,reuseaddr$([ $family = 6 ] && echo ,ipv6only)" SYSTEM:"read line; echo $ns" &
    done
    listening "$ns" "-u" "$2"
}
listening() { # NETNS -t|-u PORT: waits until both families are bound, at most 2 s
    local try
    for try in {1..100}; do
        [ "$(at "$1" ss -Hanl "$2" "sport = :$3" | wc -l)" -ge 2 ] && return
        [ "$try" = 100 ] || sleep 0.02
    done
    echo "nothing listens on port $3 in $1"
    return 1
}

# The answer must be WANTED; addresses are compared in their shortest form.
fetch() { # NETNS|host ADDRESS PORT WANTED
    local got
    # shellcheck disable=SC2016 # for the inner shell
    got=$(at "$1" timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && cat <&3' "$2" "$3")
    answers "$got" "$4"
}
fetch_udp() { # NETNS|host ADDRESS PORT WANTED
    local got
    # shellcheck disable=SC2016
    got=$(at "$1" timeout 2 bash -c 'exec 3<>"/dev/udp/$0/$1" && echo hello >&3 && head -1 <&3' "$2" "$3")
    answers "$got" "$4"
}
answers() { # GOT WANTED
    local got=$1
    if [[ $got == *\[*\]* ]]; then # socat prints IPv6 addresses long and in brackets
        local long=${got#*[}
        got="${got%% *} $(shorten "${long%]*}")"
    fi
    echo "answer: '$got'"
    [[ "$got" == "$2" || "$got" == "$2 "* ]]
}
shorten() { getent ahostsv6 "$1" | awk '{ print $1; exit }'; } # a numeric address is not looked up anywhere

leases() { # [NETWORK]: files named by an address
    find "/var/lib/cni/networks/${1:-}" -type f -regex '.*/[0-9a-f.:]+' 2>/dev/null
}
left() {
    echo "links:    $(ip -br link | awk '{ printf "%s  ", $1 }')"
    echo "leases:   $(leases | tr '\n' ' ')"
    echo "nftables: elements of each set and map, and what their comments say"
    nft -j list ruleset | jq -r '.nftables[] | (.set // .map // empty) | (.elem // []) as $elem
        | "    \(.table) \(.name): \($elem | length) \([$elem[] | .elem? | .comment? // empty] | join(" "))"'
}
no_container_links() {
    local ns
    for ns in "$@"; do [ "$(ip -n "$ns" -br link | awk '$1 != "lo"' | tee /dev/stderr | wc -l)" = 0 ] || return 1; done
}
no_host_veths() { [ "$(ip -br link show type veth | awk '$1 !~ /^uplink/' | tee /dev/stderr | wc -l)" = 0 ]; }
no_leases() { [ "$(leases "$1" | tee /dev/stderr | wc -l)" = 0 ]; } # NETWORK
# No element and no rule of anybody names one of the addresses or carries an owner ("network/container/interface") of
# the network. What a network shares, like the bridge's name and the subnets, stays as the bridge does.
no_nft_state() { # NETWORK ADDRESS…
    local rules word found=0
    rules=$(nft -j list ruleset | jq -c '.nftables[] | (.rule // ((.set // .map // empty) | {name, elem: .elem[]?}))') || return
    for word in "\"$1/" "${@:2}"; do
        case $word in
        '') continue ;;
        [0-9a-f]*) word="\"$word\"" ;;
        esac
        grep -F -- "$word" <<<"$rules" && found=1
    done
    [ $found = 0 ]
}
