# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # what it shares with the clients' scripts
# What the clients' scripts share: a private host, the plugins that the client will find in it, an image, and the
# listing of what is left. A script sources this and calls private_machine "$0" "$@"; what follows runs inside.
#
#   PLUGIN_DIR        folder of the plugins (default $CNI_BIN_DIR, else bin/)
#   PLUGIN_DIR_LATER  those that take over at the call of later_plugins (default PLUGIN_DIR)
#   GO_BIN_DIR        the Go suite to try (default Debian's, /usr/lib/cni)
#   LONG=1            the whole of it, not what CI has time for   KEEP=1   keep the work folder
#   RECORD=FILE       write down each call, a JSON object a line, as in tests/system/recorded/
#
# Everything runs in new network, mount, pid, ipc and uts namespaces. When the script ends, however it ends, the kernel
# takes processes, mounts, links and rules; outside there are only a work folder and cgroups of the same name to remove.
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/lib/runtime.sh
. "$repo/tests/lib/runtime.sh"
# shellcheck source=tests/lib/traffic.sh
. "$repo/tests/lib/traffic.sh"
: "${CNI_BIN_DIR:=$repo/bin}"
: "${PLUGIN_DIR:=$CNI_BIN_DIR}"
: "${PLUGIN_DIR_LATER:=$PLUGIN_DIR}"
go_suite=${GO_BIN_DIR:-/usr/lib/cni}
client_folder=$(cd "$(dirname "$0")" && pwd)

# ---- the private machine

private_machine() { # "$0" "$@"
    local command
    if [ "${E2E_INSIDE:-}" = yes ]; then
        make_private
        return
    fi
    [ "$(id -u)" = 0 ] || { echo 'FAIL runtimes need root' && exit 1; }
    for command in "${needs[@]}"; do
        command -v "$command" >/dev/null || { echo "FAIL $command is not installed (.ci/packages.sh e2e)" && exit 1; }
    done
    PLUGIN_DIR=$(realpath -e "$PLUGIN_DIR") && PLUGIN_DIR_LATER=$(realpath -e "$PLUGIN_DIR_LATER") || exit 1
    remove_forgotten
    E2E_WORK=$(mktemp -d -t "cnative-e2e-$$-XXXXXX") || exit 1
    export PLUGIN_DIR PLUGIN_DIR_LATER E2E_WORK E2E_INSIDE=yes
    trap 'clean_up' EXIT
    trap 'exit 130' INT TERM HUP
    # Whoever of these dies takes the rest along.
    setpriv --pdeathsig KILL timeout --signal=KILL "${E2E_TIMEOUT:-180}" setpriv --pdeathsig KILL \
        unshare --net --mount --ipc --uts --pid --fork --kill-child --mount-proc -- bash "$@" </dev/null &
    machine=$!
    wait "$machine" && exit 0
    status=$?
    [ "$status" -lt 128 ] || echo "FAIL $0 was killed after ${E2E_TIMEOUT:-180} s at most"
    show_logs
    exit "$status"
}

# shellcheck disable=SC2317 # called by trap
clean_up() {
    kill -KILL "$machine" 2>/dev/null && wait "$machine" 2>/dev/null
    remove_cgroups "$E2E_WORK"
    if [ "${KEEP:-}" = 1 ]; then
        echo "kept: $E2E_WORK"
    else
        rm -rf --one-file-system "$E2E_WORK"
    fi
}

# What was killed by SIGKILL could not clean up.
remove_forgotten() {
    local folder pid
    for folder in "${TMPDIR:-/tmp}"/cnative-e2e-*; do
        pid=$(sed -nE 's|.*/cnative-e2e-([0-9]+)-[^/]*$|\1|p' <<<"$folder")
        if [ -n "$pid" ] && [ ! -d "/proc/$pid" ]; then remove_cgroups "$folder" && rm -rf --one-file-system "$folder"; fi
    done
}

# Empty cgroups stay when the processes in them have gone.
remove_cgroups() { # WORK-FOLDER
    local try found
    for try in {1..25}; do
        mapfile -t found < <(find /sys/fs/cgroup -type d -name "${1##*/}" 2>/dev/null)
        [ "${#found[@]}" -gt 0 ] || return 0
        find "${found[@]}" -depth -type d -exec rmdir {} \; 2>/dev/null
        [ "$try" = 1 ] || sleep 0.2
    done
    echo "FAIL cgroups left: ${found[*]}"
}

show_logs() {
    local log
    for log in "$E2E_WORK"/*.log; do
        [ -s "$log" ] && echo "--- the end of ${log##*/}" && grep -v level=info "$log" | tail -n 15 | cut -c -400
    done
}

make_private() {
    local folder
    started=$(date +%s%N)
    cd "$E2E_WORK" || exit 1
    cgroup=${E2E_WORK##*/}
    ip link set lo up
    mkdir cgroups unused
    # A sysfs of this network namespace, with the cgroups carried over.
    mount --rbind /sys/fs/cgroup cgroups && mount -t sysfs sysfs /sys && mount --rbind cgroups /sys/fs/cgroup &&
        umount -l cgroups || exit 1
    # crun refuses the "hybrid" set-up, in which the second version holds controllers too: without it, it is the first.
    if grep -q . /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null; then umount -l /sys/fs/cgroup/unified; fi
    mount -t tmpfs -o mode=755 tmpfs unused
    for folder in /run /etc/cni /opt/cni /var/lib/cni /var/lib/containers; do private_folder $folder || exit 1; done
    # What a runtime mounts on /run/netns must reach its helpers; all of them are in this mount namespace's family.
    mount --make-rshared /run
    mkdir -p /run/netns /run/lock /etc/cni/net.d /opt/cni/bin
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    take_plugins
}

# An empty folder in the place of the machine's own; where there is none, none is made on the machine.
private_folder() {
    local parent over
    if [ ! -d "$1" ]; then
        parent=$(dirname "$1") over=$E2E_WORK/unused/$1
        [ -d "$parent" ] || private_folder "$parent" || return
        mkdir -p "$over/upper" "$over/work"
        mount -t overlay -o "lowerdir=$parent,upperdir=$over/upper,workdir=$over/work" overlay "$parent" || return
        mkdir "$1" || return
    fi
    mount -t tmpfs -o mode=755 tmpfs "$1"
}

# ---- the plugins

plugins=(bridge host-local loopback portmap firewall tuning bandwidth)
suite_of() { if [ "$1" -ef "$go_suite" ]; then echo go; else echo ours; fi; }
knows_cni_1_1() { CNI_COMMAND=VERSION "$1/bridge" </dev/null | grep -qF 1.1.0; } # FOLDER
# Which plugins make and which remove: ours, go, ours-go, go-ours.
plugin_set=$(suite_of "$PLUGIN_DIR")
[ "$PLUGIN_DIR" = "$PLUGIN_DIR_LATER" ] || plugin_set=$plugin_set-$(suite_of "$PLUGIN_DIR_LATER")

# Copies of what the client may call, and nothing else in any of the folders that clients look in.
take_plugins() {
    local folder
    collect "$PLUGIN_DIR" now && collect "$PLUGIN_DIR_LATER" later || exit 1
    [ ! -f borrowed ] || sort -u borrowed
    install_plugins now
    mkdir empty
    for folder in /usr/lib/cni /usr/libexec/cni /usr/local/lib/cni /usr/local/libexec/cni; do
        [ ! -d $folder ] || mount --bind empty $folder || exit 1
    done
}

# A plugin that the repository has not got yet is taken from the Go suite; one that it has must be in FROM.
collect() { # FROM INTO
    local name
    mkdir -p "$2"
    for name in "${plugins[@]}"; do
        if [ -x "$1/$name" ]; then
            cp "$1/$name" "$2/"
        elif compgen -G "$repo/plugins/*/$name" >/dev/null; then
            echo "FAIL $1 has no $name" && return 1
        else
            echo "note: $name is the Go suite's, there is none in $1" >>borrowed
            cp "$go_suite/$name" "$2/"
        fi
    done
}

install_plugins() { # FOLDER: as an installer does it, by renaming
    local file
    for file in "$1"/*; do
        cp "$file" /opt/cni/bin/.new
        [ -z "${RECORD:-}" ] || recorder "$(realpath "$file")" >/opt/cni/bin/.new
        mv /opt/cni/bin/.new "/opt/cni/bin/${file##*/}"
    done
}
recorder() { # PLUGIN: a program in its place
    cat <<END
#!/bin/bash
input=\$(cat)
output=\$($1 <<<"\$input")
status=\$?
printf %s "\$output"
jq -cn --arg plugin ${1##*/} --arg rc \$status --arg stdin "\$input" --arg stdout "\$output" '
    {\$plugin, cmd: env.CNI_COMMAND, id: env.CNI_CONTAINERID, netns: env.CNI_NETNS, ifname: env.CNI_IFNAME,
     args: env.CNI_ARGS, path: env.CNI_PATH, rc: (\$rc | tonumber)}
    | .stdin = (\$stdin | try fromjson catch \$stdin) | .stdout = (\$stdout | try fromjson catch \$stdout)' >>$RECORD
exit \$status
END
}
later_plugins() { [ "$PLUGIN_DIR" = "$PLUGIN_DIR_LATER" ] || must "the other suite's plugins take over" install_plugins later; }

# ---- checks

must() { # WHAT COMMAND…: a check without which the rest makes no sense
    check "$@"
    [ "$failed" = 0 ] || verdict "$started"
}
eventually() { # COMMAND…: true within ten seconds
    local try
    for try in {1..100}; do
        "$@" >/dev/null 2>&1 && return
        [ "$try" = 100 ] || sleep 0.1
    done
    "$@"
}
is() { # GOT WANTED (a pattern)
    echo "'$1', expected '$2'"
    # shellcheck disable=SC2053
    [[ $1 == $2 ]]
}

# What the container at the other end serves (serve_page), by HTTP; from the host, and for use in a container.
page_at() { # ADDRESS PORT WANTED
    local got
    # shellcheck disable=SC2016 # for the inner shell
    got=$(timeout 4 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET / HTTP/1.0\r\n\r\n" >&3 && cat <&3' "$1" "$2")
    is "$(tr -d '\r' <<<"$got" | tail -n 1)" "$3"
}
# shellcheck disable=SC2016 # for the container's shell; used by the clients' scripts
get_page='printf "GET / HTTP/1.0\r\n\r\n" | timeout 4 nc -w 3 "$1" "$2" | tr -d "\r" | tail -n 1'
# shellcheck disable=SC2016
serve_page='echo "$1" >/www/index.html; exec httpd -f -p 8080 -h /www'

# ---- what is left

# A line for each thing that belongs to an attachment, with names and addresses made alike, and how many there are.
left_behind() {
    {
        ip -json -details link | jq -r '.[].linkinfo.info_kind // empty' |
            grep -xE 'veth|macvlan|ipvlan|vlan|ifb|dummy' | sed 's/^/link: /'
        leases | sed 's/.*/lease/'
        find /run/netns -mindepth 1 | sed 's/.*/network namespace/'
        find /run/cni /var/lib/cni -type f ! -path '/var/lib/cni/networks/*' 2>/dev/null |
            sed 's/^/file: /; s/[0-9a-f]\{16,\}\|[0-9]\{6,\}/ID/g; s/-[0-9]\+-eth/-ID-eth/; s/-eth[0-9]\+$/-ethN/'
        left_in_netfilter
    } | sort | uniq -c | sed 's/^ *//'
}
# Elements that name an owner; rules, elements and chains with an address or a hash of a container in them. What belongs
# to a network as a whole stays, as its bridge does.
networks4='10\.222\.[0-9]+' networks6='fd22:' # prefixes of 24 (or 16) and 64, gateways that end in 1
left_in_netfilter() {
    nft -j list ruleset >ruleset.json 2>/dev/null || echo 'rule: nft cannot list them as JSON'
    # shellcheck disable=SC2094 # the word, and the file of that name
    nft list ruleset >ruleset 2>/dev/null || echo 'rule: nft cannot list them'
    jq -r '.nftables[] | (.set // .map // empty) | select(.name | endswith("_subnets") | not)
        | .table as $table | .name as $name | .elem[]? | arrays[0] // . | .elem? | .comment? // empty
        | select(test("/|^#")) | "element of \($table) \($name)"' ruleset.json
    grep -v 'comment "[^"]*/' ruleset | sed -E '
        s/# xt_[a-z]*//; s/counter packets [0-9]+ bytes [0-9]+ ?//; s/^[ \t]+//; s/[ \t{]+$//
        s/(CNI(-DN|-SN|-HOSTPORT)?-)[0-9a-f]{20,}/\1HASH/g
        s/\b('"$networks4"')\.(0|1)(\/24|\/16)?\b/NETWORK/g; s/\b'"$networks6"'[0-9a-f:]*:1?(\/64)?( |,|$)/NETWORK\2/g
        s/\b('"$networks4"')\.[0-9]+/ADDRESS/g; s/\b'"$networks6"'[0-9a-f:]+/ADDRESS/g' | grep -E 'ADDRESS|HASH' | sed 's/^/rule: /'
}
# Exactly what left-SET.txt beside the script says, which is nothing when there is none. Eventually: the kernel takes down
# the links of a namespace some time after the last process in it has gone.
nothing_left() { diff <(grep -v '^#' "$client_folder/left-$plugin_set.txt" 2>/dev/null) <(left_behind); }
check_left() { # LIST…
    if [ -f "$client_folder/left-$plugin_set.txt" ]; then
        check "what is left is what left-$plugin_set.txt lists" eventually nothing_left
    else
        check 'nothing left: links, leases, files, namespaces, rules' eventually nothing_left
    fi
    [ "$plugin_set" != ours-go ] || check 'GC by our plugins takes the elements' collected "$@"
}
# What the runtimes of CNI 1.1 send.
collected() { # LIST…
    local ours list
    mapfile -t ours < <(ls "$PLUGIN_DIR")
    for list in "$@"; do
        jq --args '.cniVersion = "1.1.0" | .plugins |= map(select(.type | IN($ARGS.positional[])))' "${ours[@]}" \
            <"$list" >gc.conflist
        CNI_BIN_DIR=$PLUGIN_DIR cni_gc gc.conflist || return
    done
    left_in_netfilter
    [ -z "$(left_in_netfilter)" ]
}

# ---- the image

# A docker-archive with two names for one layer of busybox: e2e.local/busybox:1, and e2e.local/pause:1 which sleeps.
make_image() { # OUT.tar
    local tree=image/tree applet diff config
    mkdir -p $tree/{bin,etc,proc,sys,dev,tmp,root,www,run}
    cp "$(command -v busybox)" $tree/bin/busybox
    for applet in sh ls cat ip ping ping6 nc httpd sleep hostname tail tr timeout echo id ps; do
        ln -s busybox $tree/bin/$applet
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >$tree/etc/passwd && echo 'root:x:0:' >$tree/etc/group
    : >$tree/etc/hosts && : >$tree/etc/resolv.conf
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C $tree -cf image/layer.tar .
    diff=sha256:$(sha256sum image/layer.tar | cut -d' ' -f1)
    for config in busybox pause; do
        jq -cn --arg diff "$diff" --arg name $config --arg arch "$(dpkg --print-architecture)" '
            ["/bin/sleep", "86400"] as $sleep | {architecture: $arch, os: "linux", created: "1970-01-01T00:00:00Z",
            config: ({Env: ["PATH=/bin"], WorkingDir: "/"} + if $name == "pause" then {Entrypoint: $sleep} else {Cmd: $sleep} end),
            rootfs: {type: "layers", diff_ids: [$diff]}, history: [{created: "1970-01-01T00:00:00Z", created_by: $name}]}' \
            >image/$config.json
    done
    jq -n '[["busybox", "pause"][] | {Config: "\(.).json", RepoTags: ["e2e.local/\(.):1"], Layers: ["layer.tar"]}]' \
        >image/manifest.json
    tar -C image -cf "$1" manifest.json busybox.json pause.json layer.tar && rm -rf image
}
