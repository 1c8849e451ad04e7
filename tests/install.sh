#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# install.sh OLD NEW: `make install` and `make uninstall` as a host in use sees them. OLD and NEW are two builds of the
# plugins, installed in turn over each other while containers come and go. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 1
old=$(realpath "$1") new=$(realpath "$2") go=/usr/lib/cni
. tests/lib/private.sh
target=$work/opt/cni/bin
export CNI_BIN_DIR=$target
mapfile -t names < <(ls "$new")

is_one_of() { cmp -s "$1" "$old/${1##*/}" || cmp -s "$1" "$new/${1##*/}"; }
whole() { # every plugin is there, old or new
    local name
    for name in "${names[@]}"; do
        if ! is_one_of "$target/$name" || [ ! -x "$target/$name" ]; then echo "$name is neither old nor new" && return 1; fi
    done
}
holds() { # exactly the plugins of FOLDER, and no other file
    diff -r "$1" "$target" && [ "$(find "$target" -mindepth 1 | wc -l)" = "$(find "$1" -mindepth 1 | wc -l)" ]
}

check 'install into an empty folder' .ci/install.sh "$old" "$target"
check 'it holds the plugins and nothing else' holds "$old"
check 'they are executable, and nobody but the owner may write' \
    test "$(find "$target" -type f -printf '%m\n' | sort -u)" = 755

calls_of_a_list() { cni_add "$@" && cni_check "$@" && cni_del "$@" && cni_status "$1"; }
# Containers come and go until the file "enough" is there; each call and each failure leaves a line.
worker() { # NAME
    local list=conf-examples/10-bridge-portmap.conflist netns=/run/netns/$1
    make_netns "$1"
    until [ -e "$work/enough" ]; do
        calls_of_a_list "$list" "$1" "$netns" eth0 >"$work/said-$1" 2>&1 || cat "$work/said-$1" >>"$work/failures"
        echo >>"$work/rounds"
    done
}
calls() { echo $((4 * $(wc -l <"$work/rounds"))); }
under_load() { # 30 installs and 30 rounds at least, however slow the machine is
    local end=$((SECONDS + 120)) installs=0 name pids=()
    : >"$work/rounds"
    for name in c1 c2 c3; do
        worker "$name" >/dev/null 2>&1 &
        pids+=($!)
    done
    while [ "$SECONDS" -lt "$end" ] && { [ "$installs" -lt 30 ] || [ "$(calls)" -lt 120 ]; }; do
        .ci/install.sh "$new" "$target" >/dev/null || break
        .ci/install.sh "$old" "$target" >/dev/null || break
        installs=$((installs + 2))
    done
    touch "$work/enough"
    wait "${pids[@]}"
    echo "$installs installs during $(calls) calls of a list: ADD, CHECK, DEL, STATUS"
    [ "$installs" -ge 30 ] && [ "$(calls)" -ge 120 ] && [ ! -s "$work/failures" ]
}
CNI_SHOW=1 check 'installs in a loop, and not one call fails' under_load
[ ! -s "$work/failures" ] || head -40 "$work/failures"

# A plugin that runs meanwhile, here one that waits for its config, goes on as it was.
replaced_while_running() {
    local pid
    mkfifo "$work/config"
    CNI_COMMAND=STATUS CNI_PATH=$target "$target/loopback" <"$work/config" &
    pid=$!
    exec 4>"$work/config"
    .ci/install.sh "$new" "$target" && cmp "$new/loopback" "$target/loopback"
    echo '{"cniVersion": "1.1.0", "name": "lo", "type": "loopback"}' >&4
    exec 4>&-
    wait "$pid"
}
check 'a plugin that is running is replaced, and ends well' replaced_while_running

# Killed after a little longer each time, until it gets through.
killed_at_any_moment() {
    local after pid through=0 kills=0
    for ((after = 0; through < 3; after += 1 + after / 12)); do
        .ci/install.sh "$old" "$target" >/dev/null || return
        setsid .ci/install.sh "$new" "$target" >/dev/null 2>&1 &
        pid=$!
        sleep "$(printf '0.%03d' "$after")"
        if kill -KILL -- "-$pid" 2>/dev/null; then kills=$((kills + 1)); else through=$((through + 1)); fi
        wait "$pid" 2>/dev/null
        whole || return
    done
    echo "killed $kills times"
    [ "$kills" -gt 5 ] && .ci/install.sh "$new" "$target" >/dev/null && holds "$new"
}
CNI_SHOW=1 check 'killed at any moment, each plugin is old or new, and the next install leaves nothing else' killed_at_any_moment
interrupted() {
    local try pid
    for try in {1..20}; do
        setsid .ci/install.sh "$old" "$target" >/dev/null 2>&1 &
        pid=$!
        sleep "0.0$((try % 4))$((try % 10))"
        kill -TERM -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        whole || return
        [ "$(find "$target" -mindepth 1 | wc -l)" = "${#names[@]}" ] || { ls -A "$target" && return 1; }
    done
}
check 'interrupted, it leaves nothing beside the plugins' interrupted
at_once() {
    local pids=() i
    for i in 1 2 3 4; do
        .ci/install.sh "$old" "$target" >/dev/null &
        pids+=($!)
        .ci/install.sh "$new" "$target" >/dev/null &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || return; done
    whole && [ "$(find "$target" -mindepth 1 | wc -l)" = "${#names[@]}" ]
}
check 'eight installs at once all succeed' at_once

failing() { # nothing of it is visible, and the status says so
    mkdir "$work/bad" && ln -s /nonexistent "$work/bad/bridge"
    not .ci/install.sh "$work/bad" "$target" && whole
}
check 'an install that fails says so, and leaves the plugins as they were' failing

# What is not ours in the same folder: other plugins, ours of the same name but from elsewhere, links, files.
.ci/install.sh "$new" "$target" >/dev/null
cp $go/macvlan $go/bridge "$target/" && echo text >"$target/notes.txt" && ln -sf /usr/lib/cni/tuning "$target/tuning"
touch "$target/.loopback.cnative-new"
uninstall() { .ci/uninstall.sh "$target" "${names[@]}"; }
left() { is "$(find "$target" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')" "$1"; }
is() { echo "'$1', expected '$2'" && [ "$1" = "$2" ]; }
check 'uninstall' uninstall
check 'what is not ours stays: the Go suite'"'"'s plugins, links, other files' left 'bridge macvlan notes.txt tuning '
check 'the Go suite'"'"'s bridge is whole' cmp $go/bridge "$target/bridge"
check 'uninstall again' uninstall
check 'uninstall from a folder that is not there' .ci/uninstall.sh "$work/nowhere" "${names[@]}"
if [ "$(dpkg-query --search $go/bridge 2>/dev/null)" ]; then
    owned() { # a mount over a package's file makes it look like ours
        mount --bind "$new/bridge" "$go/bridge" && .ci/uninstall.sh "$go" bridge | grep 'it belongs to a package' &&
            umount "$go/bridge"
    }
    check "what a package brought stays" owned
fi

make_as_said() { make --silent "$@" 2>&1; }
check 'make install DESTDIR= PREFIX=' make_as_said install DESTDIR="$work/staged" PREFIX=/usr/lib/cni
check 'it is the release build' diff -r bin-musl "$work/staged/usr/lib/cni"
check 'make install DESTDIR= alone: /opt/cni/bin' make_as_said install DESTDIR="$work/staged"
check 'it is there' diff -r bin-musl "$work/staged/opt/cni/bin"
check 'make uninstall DESTDIR= PREFIX=' make_as_said uninstall DESTDIR="$work/staged" PREFIX=/usr/lib/cni
check 'make uninstall DESTDIR=' make_as_said uninstall DESTDIR="$work/staged"
check 'nothing is left' test -z "$(find "$work/staged" -type f)"
verdict "$started"
