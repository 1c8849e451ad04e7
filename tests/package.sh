#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# package.sh ARCH: what `make package` makes for ARCH, as those see it who unpack or install it. BUILD of the release
# must be there. Installing is into a root of its own. Last line: 'N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib/traffic.sh
started=$(date +%s%N)
arch=$1 suffix=''
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
    suffix=-$arch PLUGIN_LAUNCHER=$([ "$arch" = arm64 ] && echo qemu-aarch64)
    export PLUGIN_LAUNCHER
fi
plugins=bin-musl$suffix build=build-musl$suffix
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t names < <(ls "$plugins")
version=$(sed -n 's/^project(cnative VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
pack() { cmake/package/package.sh "$build" "$plugins" "$arch" "$1" "$2"; } # DEB-FOLDER OUT
is() { echo "'$1', expected '$2'" && [ "$1" = "$2" ]; }

check 'packages are made, .deb for /usr/lib/cni' pack /usr/lib/cni "$work/out"
check 'packages are made, .deb for /opt/cni/bin' pack /opt/cni/bin "$work/out"
check 'any other folder is refused' not pack /usr/local/bin "$work/out"
[ "$failed" = 0 ] || verdict "$started"
same_again() { # another folder, time zone, language and umask
    (umask 077 && export TZ=Asia/Tokyo LC_ALL=C.UTF-8 && pack /usr/lib/cni "$work/again" && pack /opt/cni/bin "$work/again") &&
        diff -r "$work/out" "$work/again"
}
check 'packing again gives the same bytes' same_again
tgz=$work/out/cnative-$arch-$version.tgz deb=$work/out/cnative_${version}_$arch.deb
deb_opt=$work/out/cnative-opt_${version}_$arch.deb sbom=$work/out/cnative-$arch-$version.spdx.json
check 'that is all there is' is "$(find "$work/out" -type f | wc -l)" 8
sums() { (cd "$work/out" && sha256sum --check --strict -- *.sha256); }
check 'the .sha256 files say so' sums

# ---- the tarball

check 'the tarball is flat' is "$(tar tzf "$tgz" | tr '\n' ' ')" \
    "./ $(printf './%s\n' LICENSE NOTICE "${names[@]}" | LC_ALL=C sort | tr '\n' ' ')"
owners_and_modes() { tar tvzf "$tgz" | awk '{ print $2, $1 }' | sort -u; }
check 'everything is root'"'"'s' is "$(owners_and_modes | cut -d' ' -f1 | uniq)" 0/0
check 'executables 755, texts 644, the folder 755' is "$(owners_and_modes | cut -d' ' -f2 | tr '\n' ' ')" \
    '-rw-r--r-- -rwxr-xr-x drwxr-xr-x '
as_installers_do() { mkdir -p "$work/opt/cni/bin" && tar -C "$work/opt/cni/bin" -xzf "$tgz"; }
check 'it is unpacked as installers do' as_installers_do
unpacked() { local name && for name in "${names[@]}"; do cmp "$plugins/$name" "$work/opt/cni/bin/$name" || return; done; }
check 'and is the release build' unpacked
check 'the texts of the licences are there' grep -q 'GNU LESSER GENERAL PUBLIC LICENSE' "$work/opt/cni/bin/NOTICE"
no_path_of_this_machine() { not grep -aF "$PWD" "$work"/opt/cni/bin/*; }
check 'no path of the machine it was built on is in it' no_path_of_this_machine

# ---- the SBOM

check 'the SBOM is a valid SPDX 2.3 document of these files' tests/sbom_check.py "$sbom" "$work/opt/cni/bin"
listed() { jq -r '[.packages[].name] | sort | join(" ")' "$sbom"; }
check 'it lists what is linked in' is "$(listed)" \
    'cnative libgcc libgcc-unwinder libmnl libnftnl libnl libstdc++ musl nlohmann-json'
an_error_is_found() { # the check is one
    sed 's/"LGPL-2.1-only"/"LGPL"/' "$sbom" >"$work/wrong" && not tests/sbom_check.py "$work/wrong" "$work/opt/cni/bin" &&
        jq 'del(.relationships[-1])' "$sbom" >"$work/wrong" && not tests/sbom_check.py "$work/wrong" "$work/opt/cni/bin"
}
check 'a wrong SBOM is found out' an_error_is_found
unlisted() { # a library that nobody has described
    mkdir "$work/build" && ln -s "$PWD/$build"/* "$work/build/" && rm "$work/build/bridge.map" &&
        sed 's/libnl-3\.a(/libother.a(/' "$build/bridge.map" >"$work/build/bridge.map" &&
        not cmake/package/package.sh "$work/build" "$plugins" "$arch" /usr/lib/cni "$work/unlisted" 2>"$work/said" &&
        grep 'bridge contains libother.a' "$work/said"
}
check 'a library that components.txt does not list is an error' unlisted

# ---- the .deb

field() { dpkg-deb --field "$1" "$2"; }
check 'package, version, architecture' is "$(field "$deb" Package) $(field "$deb" Version) $(field "$deb" Architecture)" \
    "cnative $version $arch"
check 'it depends on nothing' is "$(field "$deb" Depends)$(field "$deb" Pre-Depends)$(field "$deb" Recommends)" ''
check 'it has no scripts' is "$(dpkg-deb --ctrl-tarfile "$deb" | tar t | sort | tr '\n' ' ')" './control ./md5sums '
check 'it takes the place of the Go suite'"'"'s' is "$(field "$deb" Conflicts), $(field "$deb" Replaces), $(field "$deb" Provides)" \
    'containernetworking-plugins, containernetworking-plugins, containernetworking-plugins, container-network-stack (= 1)'
check 'the other one is beside it' is "$(field "$deb_opt" Package), $(field "$deb_opt" Conflicts), $(field "$deb_opt" Replaces)" \
    'cnative-opt, , kubernetes-cni'

fake() { # NAME FIELDS FOLDER PLUGIN…: a package with these files in FOLDER, to be in the way
    local tree=$work/fake/$1 name=$1 fields=$2 folder=$3
    shift 3
    mkdir -p "$tree/DEBIAN" "$tree$folder"
    printf 'Package: %s\nVersion: 9\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: test\n%b' \
        "$name" "$fields" >"$tree/DEBIAN/control"
    for plugin in "$@"; do echo "$name" >"$tree$folder/$plugin"; done
    dpkg-deb --root-owner-group --build "$tree" "$work/$name.deb" >/dev/null
}
fake containernetworking-plugins 'Provides: container-network-stack (= 1)\n' /usr/lib/cni bridge macvlan
fake kubernetes-cni '' /opt/cni/bin bridge macvlan
fake kubelet 'Depends: kubernetes-cni\n' /usr/bin kubelet
fake podman-common 'Depends: container-network-stack\n' /usr/bin podman
fake other 'Depends: containernetworking-plugins\n' /usr/bin other

root=$work/root admin=$work/root/var/lib/dpkg
new_root() {
    rm -rf "$root" && mkdir -p "$admin/info" && touch "$admin/status" "$admin/available"
    [ -z "$suffix" ] || dpkg --root="$root" --add-architecture "$arch"
}
in_root() { dpkg --root="$root" --log=/dev/null "$@"; }
installed() { # PACKAGE…: these, and none else
    is "$(dpkg-query --admindir="$admin" --show --showformat='${Package} ${db:Status-Status}\n' |
        sed -n 's/ installed$//p' | sort | tr '\n' ' ')" "$(printf '%s ' "$@")"
}
in_place() { # FOLDER: the plugins are there, and executable
    local name
    for name in "${names[@]}"; do cmp "$plugins/$name" "$root$1/$name" && [ -x "$root$1/$name" ] || return; done
}
nothing_in() { is "$(find "$root" -path "$root/var/lib/dpkg" -prune -o ! -type d -print)" ''; }

new_root
check 'the .deb is installed into an empty root' in_root --install "$deb"
check 'its plugins are in /usr/lib/cni' in_place /usr/lib/cni
documented() {
    local doc=$root/usr/share/doc/cnative name
    [ -s "$doc/copyright" ] && gzip -t "$doc/changelog.gz" && diff -r conf-examples "$doc/examples" || return
    for name in "${names[@]}"; do [ -s "$doc/$name.md" ] || return; done
}
check 'copyright, changelog, keys and examples are in /usr/share/doc' documented
check 'dpkg finds every file as it was packed' is "$(in_root --verify cnative)" ''
check 'it is installed again over itself' in_root --install "$deb"
check 'the other one goes in beside it' in_root --install "$deb_opt"
check 'its plugins are in /opt/cni/bin' in_place /opt/cni/bin
check 'both are removed' in_root --purge cnative cnative-opt
check 'and nothing is left' nothing_in

new_root
check 'on a host with the Go suite and what needs it' in_root --install "$work"/{containernetworking-plugins,podman-common,other}.deb
check 'the .deb takes its place' in_root --install "$deb"
check 'its plugins are in /usr/lib/cni' in_place /usr/lib/cni
check 'what needs the Go suite stays installed' installed cnative other podman-common
as_apt_does() { in_root --remove --force-depends cnative && in_root --install "$work/containernetworking-plugins.deb"; }
check 'the Go suite comes back in its place' as_apt_does
check 'and is what is installed' installed containernetworking-plugins other podman-common

new_root
check 'on a node with the plugins of Kubernetes' in_root --install "$work"/{kubernetes-cni,kubelet}.deb
check 'the .deb for /opt/cni/bin goes in' in_root --install "$deb_opt"
check 'its plugins are in /opt/cni/bin' in_place /opt/cni/bin
check 'kubelet and the other plugins stay' installed cnative-opt kubelet kubernetes-cni
check 'macvlan is still there' test -s "$root/opt/cni/bin/macvlan"
check 'kubernetes-cni is installed again' in_root --install "$work/kubernetes-cni.deb"
check 'our plugins stay' in_place /opt/cni/bin
verdict "$started"
