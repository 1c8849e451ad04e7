#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# root.sh FOLDER: unpacks into it Debian's arm64 packages that the system tests need, and installs nothing here. By a
# private apt state, FOLDER.apt, which checks signatures, from the mirrors that this machine uses.
set -euo pipefail
root=$(realpath -m "$1")
[ ! -e "$root/etc/passwd" ] || exit 0

packages=(base-files base-passwd bash busybox-static conntrack containernetworking-plugins coreutils dash dbus dbus-daemon
    diffutils findutils firewalld gawk grep hostname iproute2 iptables iputils-ping jq kmod mount netbase netcat-openbsd
    nftables procps python3 python3-nftables sed socat strace util-linux)
mkdir -p "$root.apt/state/lists/partial" "$root.apt/cache/archives/partial"
apt=(-q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root -o APT::Install-Recommends=no
    -o Dir::State="$root.apt/state" -o Dir::State::status=/dev/null -o Dir::Cache="$root.apt/cache")
apt-get "${apt[@]}" update
apt-get "${apt[@]}" install --download-only --yes "${packages[@]}"
rm -rf "$root.new"
mkdir "$root.new"
for package in "$root.apt"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$root.new"
done

# What the packages' scripts would do.
cd "$root.new"
for tool in iptables ip6tables; do
    for suffix in '' -save -restore; do ln -s xtables-nft-multi "usr/sbin/$tool$suffix"; done
done
ln -sf dash bin/sh
ln -s nc.openbsd bin/nc
ln -s gawk usr/bin/awk
mkdir -p host mnt run/netns var/lib/cni lib/modules
cp usr/share/base-passwd/group.master etc/group
echo messagebus:x:101: >>etc/group
cp usr/share/base-passwd/passwd.master etc/passwd
echo messagebus:x:101:101::/nonexistent:/usr/sbin/nologin >>etc/passwd
mv "$root.new" "$root"
