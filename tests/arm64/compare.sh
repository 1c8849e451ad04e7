#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# compare.sh PLUGINS OTHER: the arm64 plugins in PLUGINS, under qemu-user, and this machine's in OTHER say the same, and
# work with each other's leases. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 1
folders=("$1" "$2") launcher=(qemu-aarch64 "")
. tests/lib/private.sh
mapfile -t names < <(ls "$1")
is() { echo "'$1', expected '$2'" && [ "$1" = "$2" ]; }

call() { # 0 (arm64)|1 (other) PLUGIN VERB CONFIG [NAME=VALUE…]: stdout, stderr and status, in one text
    local which=$1 plugin=$2 verb=$3 config=$4
    shift 4
    # shellcheck disable=SC2086 # none or one word
    env -i PATH="$PATH" CNI_COMMAND="$verb" CNI_CONTAINERID=c1 CNI_NETNS=/nonexistent CNI_IFNAME=eth0 CNI_PATH=/nonexistent \
        "$@" ${launcher[which]} "${folders[which]}/$plugin" <<<"$config" 2>&1
    echo "status $?"
}
same() { # PLUGIN VERB CONFIG [NAME=VALUE…]
    local said
    said=$(call 0 "$@") && is "$said" "$(call 1 "$@")" && [[ $said == *status\ [01] ]]
}
same_error() { same "$@" && [ "$(call 0 "$@" | grep -c '"msg"')" = 1 ]; }

for name in "${names[@]}"; do
    check "$name: VERSION" same "$name" VERSION '{"cniVersion": "1.0.0"}'
    version() {
        is "$(qemu-aarch64 "${folders[0]}/$name" --version | sed 's/, commit .*//')" \
            "$("${folders[1]}/$name" --version | sed 's/, commit .*//')"
    }
    check "$name: --version" version
    broken() {
        local verb config
        for verb in ADD DEL CHECK GC STATUS; do
            for config in '' '{' '[]' 'null' '{"cniVersion": 1}' '{"cniVersion": "9.0.0", "name": "n"}' '{"cniVersion": "1.1.0"}' \
                '{"cniVersion": "1.1.0", "name": "a b"}' "$(printf '[%.0s' {1..100})" '{"name": "n", "prevResult": 5}'; do
                same "$name" "$verb" "$config" || return
            done
        done
    }
    check "$name: configs that are none" broken
    misnamed() {
        same_error "$name" ADD '{}' CNI_CONTAINERID= && same_error "$name" ADD '{}' CNI_CONTAINERID=../x &&
            same_error "$name" ADD '{}' CNI_IFNAME=a/b && same_error "$name" NONE '{"name": "n"}' &&
            same_error "$name" ADD '{"cniVersion": "1.0.0", "name": "n"}' CNI_ARGS=x
    }
    check "$name: an environment that is wrong" misnamed
done

# Keys of each plugin: what is refused, in the same words.
refused() { # PLUGIN KEYS…: each a config without version and name
    local plugin=$1 keys config
    shift
    for keys in "$@"; do
        config=$(jq -c '{cniVersion: "1.0.0", name: "n"} + .' <<<"$keys")
        same_error "$plugin" ADD "$config" || { echo "$config" && return 1; }
    done
}
ipam='"ipam": {"type": "host-local", "dataDir": "/run/leases"'
check 'bridge: keys' refused bridge '{"mtu": "x"}' '{"bridge": 5}' '{"vlan": 4095}' '{"hairpinMode": true, "promiscMode": true}' \
    '{"macspoofchk": "yes"}' '{"ipam": {"type": "../x"}}' '{"mtu": 99999999999}' '{"mtu": -1.5}'
check 'host-local: keys' refused host-local '{}' '{"ipam": {}}' "{$ipam}}" "{$ipam, \"ranges\": [[{\"subnet\": \"10.0.0.0/33\"}]]}}" \
    "{$ipam, \"ranges\": [[{\"subnet\": \"10.0.0.1/24\"}]]}}" "{$ipam, \"ranges\": 5}}" "{$ipam, \"subnet\": \"fd00::/127\"}}" \
    "{$ipam, \"ranges\": [[{\"subnet\": \"10.0.0.0/24\", \"rangeStart\": \"10.1.0.1\"}]]}}" \
    "{$ipam, \"ranges\": [[{\"subnet\": \"10.0.0.0/24\"}, {\"subnet\": \"10.0.0.0/16\"}]]}}" \
    "{$ipam, \"ranges\": [[{\"subnet\": \"10.0.0.0/24\", \"gateway\": \"10.0.0.x\"}]]}}"
check 'portmap: keys' refused portmap '{}' '{"snat": 5}' '{"markMasqBit": 32}' '{"runtimeConfig": {"portMappings": 5}}' \
    '{"runtimeConfig": {"portMappings": [{"hostPort": 70000, "containerPort": 80}]}}'
check 'firewall: keys' refused firewall '{}' '{"ingressPolicy": "x", "prevResult": {"ips": []}}' '{"backend": 5}'
check 'tuning: keys' refused tuning '{"sysctl": {"kernel/panic": "1"}}' '{"mac": "zz"}' '{"mtu": "x"}' '{"sysctl": 5}'
check 'bandwidth: keys' refused bandwidth '{"ingressRate": 5}' '{"ingressRate": -1, "ingressBurst": 1}' '{"egressRate": "x"}'
check 'loopback: keys' refused loopback '{"prevResult": {"cniVersion": "0.1.0", "ips": 5}}' '{"ipam": 5}'

# Leases. FOLDER is used by the callers named, in turn.
lease() { # CALLER FOLDER VERB ID [MORE-KEYS]
    call "$1" host-local "$3" "$(jq -cn --arg dir "$2" --argjson more "${5:-{\}}" '{cniVersion: "1.1.0", name: "net",
        ipam: {type: "host-local", dataDir: $dir, ranges: [[{subnet: "10.9.0.0/29"}], [{subnet: "fd09::/125"}]]}} + $more')" \
        CNI_CONTAINERID="$4"
}
sequence() { # FOLDER CALLER…
    local folder=$1 step id more n=0 callers
    shift
    callers=("$@")
    while read -r step id more; do
        echo "$step $id"
        lease "${callers[n++ % $#]}" "$folder" "$step" "$id" "$more"
    done <<STEPS
ADD c1
ADD c2
ADD c3
CHECK c1 {"prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "10.9.0.2/29"}]}}
CHECK nobody
DEL c2
DEL c2
ADD c4
ADD c1
ADD c5
ADD c6
ADD c7
GC x {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}, {"containerID": "c4", "ifname": "eth0"}]}
ADD c8
STATUS x
STEPS
}
index() { od -An -v -tx1 -w8 -j"$2" -N"$3" "$work/$1/.cnative/net.index"; } # FOLDER AT SIZE
both_alone() { is "$(sequence "$work/arm64" 0 | sed 's/arm64/DIR/')" "$(sequence "$work/other" 1 | sed 's/other/DIR/')"; }
check 'leases: the same answers, each on a folder of its own' both_alone
CNI_SHOW=1 check 'leases: there are some' ls "$work/arm64/net"
check 'leases: the same files, byte for byte' diff -r --exclude=.cnative "$work/arm64" "$work/other"
modes() { (cd "$work/$1" && find . -printf '%p %m %s\n' | sort); }
check 'leases: of the same modes and sizes, index included' is "$(modes arm64)" "$(modes other)"
headers() { # format, and numbers of leases, slots and nodes
    is "$(index arm64 0 16)" "$(index other 0 16)" && is "$(index arm64 136 8 && index arm64 152 32)" \
        "$(index other 136 8 && index other 152 32)"
}
check 'leases: the headers of the index agree' headers
in_turn() { is "$(sequence "$work/shared" 1 0 | sed 's/shared/DIR/')" "$(sequence "$work/again" 1 | sed 's/again/DIR/')"; }
check 'leases: on a folder that both use in turn, the same answers' in_turn
check 'leases: and the same files' diff -r --exclude=.cnative "$work/shared" "$work/other"
# Only where the index is not believed the folder is read.
believed() { # CALLER ID
    local launch=${launcher[$1]}
    : >"$work/trace"
    launcher[$1]="strace -f -qq -y -o $work/trace -e trace=getdents64 $launch"
    lease "$1" "$work/shared" DEL "$2" | grep -qx 'status 0' && not grep -F "<$work/shared/net>" "$work/trace"
    local result=$?
    launcher[$1]=$launch
    return "$result"
}
check 'leases: an index that the other wrote last is believed by arm64' believed 0 c1
check 'leases: and one that arm64 wrote, by the other' believed 1 c4
distrusted() { touch "$work/shared/net" && not believed "$1" c8; }
check 'leases: but not by arm64 when somebody else has changed the folder' distrusted 0
check 'leases: nor by the other' distrusted 1
verdict "$started"
