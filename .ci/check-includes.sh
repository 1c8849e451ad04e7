#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which folder may include which: CMake cannot forbid an #include, so this does. The table is CONTRIBUTING.md's.
set -u
cd "$(dirname "$0")/.." || exit 1
declare -A may=(
    [os]=''
    [inet]=''
    [netns]='os'
    [netlink]='os inet netns'
    [nftables]='os inet'
    [conntrack]='os inet'
    [dbus]='os'
    [cni]='os inet netns'
    [ipam]='os inet netns netlink cni'
    [endpoint]='os inet netns netlink cni ipam'
)
bad=0
complain() { echo "$1" && bad=1; }

for folder in pkg/*/; do
    name=$(basename "$folder")
    [ -n "${may[$name]+known}" ] || complain "pkg/$name is not in the table of .ci/check-includes.sh"
    while IFS=: read -r file line target; do
        case " $name ${may[$name]-} " in
        *" $target "*) ;;
        *) complain "$file:$line: pkg/$name must not include $target/" ;;
        esac
    done < <(grep -rnoP --include='*.cpp' --include='*.h' '#include "\K[^/"]+(?=/)' "$folder")
done

# A plugin includes pkg/ and its own folder, never another plugin.
while IFS=: read -r file line target; do
    [ -d "pkg/$target" ] || complain "$file:$line: a plugin includes only pkg/ and files beside it, not $target/"
done < <(grep -rnoP --include='*.cpp' --include='*.h' '#include "\K[^/"]+(?=/)' plugins)

# Each library's headers are seen by the folders that wrap it, and in those by no header that others include.
only() { # only PATTERN FOLDER…
    local pattern=$1 file line rest
    shift
    while IFS=: read -r file line rest; do
        case " $* " in
        *" $(cut -d/ -f1-2 <<<"$file") "*) ;;
        *) complain "$file:$line: $rest is for $* alone" ;;
        esac
    done < <(grep -rnoP --include='*.cpp' --include='*.h' "#include <\K${pattern}[^>]*" pkg plugins)
}
only nlohmann/ pkg/cni
only netlink/ pkg/netlink
only 'lib(mnl|nftnl)/' pkg/nftables pkg/conntrack
exit $bad
