# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A container runtime's side of CNI in a few functions, as libcni does it: name and cniVersion are put into each
# plugin's config, prevResult is handed along, runtimeConfig gets the capability arguments that the plugin asks for.
# ADD and CHECK go forward through the list, DEL backward.
#
#   CNI_BIN_DIR   folder of the plugins            CNI_CACHE   folder for results between calls (default /run/cni-cache)
#   CNI_SHOW=1    print every plugin's answer
#
#   cni_add LIST ID NETNS IFNAME [CAPABILITY-ARGUMENTS [CNI_ARGS]]     result of the last plugin in CNI_RESULT
#   cni_check, cni_del: the same arguments (NETNS may be '' for DEL)
#   cni_gc LIST [ID IFNAME]…     everything but these attachments is to go
#   cni_status LIST
# All return non-zero at the first error (DEL too), the plugin's error JSON in CNI_RESULT.

: "${CNI_CACHE:=/run/cni-cache}"

# One plugin's config: the runtime's view of entry $2 of list $1.
cni_config() { # LIST INDEX PREV-RESULT-or-empty CAPABILITY-ARGUMENTS [MORE-KEYS]
    jq -c --argjson index "$2" --argjson prev "${3:-null}" --argjson args "${4:-{\}}" --argjson more "${5:-{\}}" '
        . as $list | .plugins[$index] | (.capabilities // {}) as $asks
        | ([$args | to_entries[] | select($asks[.key] == true)] | from_entries) as $granted
        | . + {name: $list.name, cniVersion: $list.cniVersion} + $more
        | if $granted != {} then .runtimeConfig = ((.runtimeConfig // {}) + $granted) else . end
        | if $prev != null then .prevResult = $prev else . end' "$1"
}

# Calls one plugin; its stdout goes to CNI_RESULT.
cni_call() { # COMMAND TYPE CONFIG ID NETNS IFNAME CNI_ARGS
    local status=0
    CNI_RESULT=$(env -i PATH="$PATH" CNI_COMMAND="$1" CNI_CONTAINERID="$4" CNI_NETNS="$5" CNI_IFNAME="$6" \
        CNI_ARGS="$7" CNI_PATH="$CNI_BIN_DIR" "$CNI_BIN_DIR/$2" <<<"$3") || status=$?
    if [ "${CNI_SHOW:-}" = 1 ] || [ "$status" != 0 ]; then
        echo "$1 ${4:+$4 }$2: exit $status"
        [ -z "$CNI_RESULT" ] || echo "    ${CNI_RESULT//$'\n'/$'\n    '}"
    fi
    return "$status"
}

cni_entries() { jq -r '.plugins | to_entries[] | "\(.key) \(.value.type)"' "$1"; }

# Old versions had no prevResult on DEL and no CHECK.
cni_at_least() { # LIST VERSION
    [ "$(printf '%s\n' "$2" "$(jq -r .cniVersion "$1")" | sort -V | head -1)" = "$2" ]
}

cni_add() {
    local list=$1 id=$2 netns=$3 ifname=$4 caps=${5:-} args=${6:-} index type prev=
    while read -r index type; do
        cni_call ADD "$type" "$(cni_config "$list" "$index" "$prev" "$caps")" "$id" "$netns" "$ifname" "$args" || return
        prev=$CNI_RESULT
    done < <(cni_entries "$list")
    mkdir -p "$CNI_CACHE" && echo "$prev" >"$CNI_CACHE/$id-$ifname"
}

cni_check() {
    local list=$1 id=$2 netns=$3 ifname=$4 caps=${5:-} args=${6:-} index type prev
    prev=$(cat "$CNI_CACHE/$id-$ifname") || return
    while read -r index type; do
        cni_call CHECK "$type" "$(cni_config "$list" "$index" "$prev" "$caps")" "$id" "$netns" "$ifname" "$args" || return
    done < <(cni_entries "$list")
}

cni_del() {
    local list=$1 id=$2 netns=$3 ifname=$4 caps=${5:-} args=${6:-} index type prev=
    if cni_at_least "$list" 0.4.0; then prev=$(cat "$CNI_CACHE/$id-$ifname" 2>/dev/null); fi
    while read -r index type; do
        cni_call DEL "$type" "$(cni_config "$list" "$index" "$prev" "$caps")" "$id" "$netns" "$ifname" "$args" || return
    done < <(cni_entries "$list" | tac)
    rm -f "$CNI_CACHE/$id-$ifname"
}

cni_gc() {
    local list=$1 index type valid
    shift
    valid=$(jq -nc '[$ARGS.positional | while(length > 0; .[2:]) | {containerID: .[0], ifname: .[1]}]
        | {"cni.dev/valid-attachments": ., "cni.dev/attachments": .}' --args "$@")
    while read -r index type; do
        cni_call GC "$type" "$(cni_config "$list" "$index" '' '' "$valid")" '' '' '' '' || return
    done < <(cni_entries "$list")
}

cni_status() {
    local list=$1 index type
    while read -r index type; do
        cni_call STATUS "$type" "$(cni_config "$list" "$index" '' '')" '' '' '' '' || return
    done < <(cni_entries "$list")
}

# A private "host": new network, mount and pid namespaces with empty state folders; re-runs the calling script inside.
# When it ends, for whatever reason, the kernel takes every process, namespace, mount and rule with it.
enter_private_host() { # "$0" "$@"
    if [ "${PRIVATE_HOST:-}" != yes ]; then
        local root=()
        [ "$(id -u)" = 0 ] || root=(--map-root-user)
        PRIVATE_HOST=yes exec unshare "${root[@]}" --net --mount --pid --fork --kill-child --mount-proc -- bash "$@"
    fi
    mount -t sysfs sysfs /sys 2>/dev/null || true # this namespace's /sys/class/net
    mkdir -p /var/lib/cni && mount -t tmpfs tmpfs /var/lib/cni && mount -t tmpfs tmpfs /run && mkdir /run/netns /run/lock
    ip link set lo up
}

# A container, as far as the network is concerned.
make_netns() { ip netns add "$1" && ip -n "$1" link set lo up; }
inside() { # NETNS COMMAND…
    nsenter --net="/run/netns/$1" -- "${@:2}"
}
