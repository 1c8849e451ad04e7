#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# root.sh FOLDER: unpacks into it Debian's arm64 packages that the system tests need, and installs nothing here. By a
# private apt state in FOLDER.apt, which checks signatures, from the mirrors that this machine uses; FOLDER.apt/apt.conf is
# its configuration, for APT_CONFIG.
set -euo pipefail
root=$(realpath -m "$1")
[ ! -e "$root/etc/passwd" ] || exit 0

packages=(base-files base-passwd bash busybox-static conntrack containernetworking-plugins coreutils dash dbus dbus-daemon
    diffutils findutils firewalld gawk grep hostname iproute2 iptables iputils-ping jq kmod mount netbase netcat-openbsd
    nftables procps python3 python3-nftables sed socat strace util-linux)
mkdir -p "$root.apt/state/lists/partial" "$root.apt/cache/archives/partial"
export APT_CONFIG=$root.apt/apt.conf
cat >"$APT_CONFIG" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
APT::Install-Recommends "no";
Dir::State "$root.apt/state";
Dir::State::status "/dev/null";
Dir::Cache "$root.apt/cache";
END
apt-get -q update
apt-get -q install --download-only --yes "${packages[@]}"
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
