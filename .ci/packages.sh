#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# packages.sh build|musl|arm64|package|demo|test|bench|e2e|vm|vm-arm64|fuzz|lint …: installs the Debian packages that
# a stage needs and this machine lacks.
set -eu

packages() {
    case $1 in
    build) echo g++ cmake ninja-build git libnl-3-dev libnl-route-3-dev libmnl-dev libnftnl-dev nlohmann-json3-dev \
        doctest-dev ;;
    musl) echo gcc-12-source musl-dev make binutils linux-libc-dev ;;
    arm64) echo g++-aarch64-linux-gnu qemu-user ;; # libraries of that architecture: cmake/musl/toolchain.sh
    package) echo jq ;;
    demo) echo iproute2 iputils-ping jq socat nftables procps util-linux ;;
    test) echo conntrack containernetworking-plugins dbus-daemon firewalld iptables netcat-openbsd python3-nftables strace \
        binutils && packages demo ;;
    bench) echo valgrind iperf3 ;;
    e2e) echo containerd runc curl podman buildah crun conmon golang-github-containers-common busybox-static \
        python3-grpcio python3-protobuf golang-go golang-github-appc-cni-dev && packages test ;;
    vm) echo qemu-system-x86 kmod cpio busybox-static ;;
    vm-arm64) echo qemu-system-arm kmod cpio ;;
    fuzz) echo clang-14 libclang-rt-14-dev ;;
    lint) echo clang-format clang-tidy shellcheck ;;
    *) echo "usage: packages.sh build|musl|arm64|package|demo|test|bench|e2e|vm|vm-arm64|fuzz|lint …" >&2 && exit 2 ;;
    esac
}

missing=
for stage in "$@"; do
    wanted=$(packages "$stage")
    for package in $wanted; do
        case " $missing " in *" $package "*) continue ;; esac
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "these packages are missing; install them as root, or run make as root:" >&2
    echo "  apt-get install$missing" >&2
    exit 1
fi
echo "installing by apt:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the list is words
install() { apt-get install -y -q --no-install-recommends $missing </dev/null >>"$log" 2>&1; }
# Lists may be absent (container images) or too old to download from: then refresh them, once.
install || { apt-get update -q </dev/null >>"$log" 2>&1 && install; } || {
    cat "$log" >&2
    exit 1
}
