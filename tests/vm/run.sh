#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh COMMAND…: runs it as root on Debian's stock kernel (Linux 6.1) in a virtual machine: on this host's files, which
# it sees and changes in memory only, with a /run of its own. For what this host's kernel lacks or does otherwise.
# NO_MODULES="bridge veth": kernel modules that are not to be had. VM_ACCEL=kvm where that works. VM_ROOT=FOLDER: on the
# files in it (this repository too, by the same path) instead of this host's; VM_ARCH=arm64: which are of arm64. Exit
# status: the command's.
set -euo pipefail
cd "$(dirname "$0")/../.."
repository=$PWD
root=${VM_ROOT:-} arch=${VM_ARCH:-amd64}
work=${VM_DIR:-$repository/build/vm} # in VM_ROOT, if that is given
mkdir -p "$work"
case $arch in
amd64) qemu=(qemu-system-x86_64 -cpu max) boot="console=ttyS0 no_timer_check" ;; # a loaded host lets it fail
arm64) qemu=(qemu-system-aarch64 -machine virt -cpu "max,pauth-impdef=on") boot=console=ttyAMA0 ;;
esac

kernel_package=$(apt-cache depends "linux-image-$arch" | awk '/Depends:/ { print $2; exit }')
version=${kernel_package#linux-image-}
if [ ! -e "$work/kernel/boot/vmlinuz-$version" ]; then
    (cd "$work" && apt-get -q download "$kernel_package" >&2)
    dpkg-deb -x "$work/$kernel_package"_*.deb "$work/kernel"
    rm "$work/$kernel_package"_*.deb
    depmod -b "$work/kernel" "$version"
fi

# An initial root file system that finds this host's files by 9p and goes over to them.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,dev,host,mnt,modules,proc}
cp "$root/bin/busybox" "$tree/bin/"
for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$work/kernel" -S "$version" --show-depends "$module" | awk '/^insmod/ { print $2 }'
done | awk '!seen[$0]++' >"$tree/order"
xargs -a "$tree/order" -I{} cp {} "$tree/modules/"
sed -i 's|.*/||' "$tree/order"
printf '%q ' "$@" >"$tree/command"
cat >"$tree/init" <<END
#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
for module in \$(/bin/busybox cat /order); do /bin/busybox insmod /modules/\$module; done
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host
/bin/busybox mount -t tmpfs none /mnt
/bin/busybox mkdir /mnt/upper /mnt/work /mnt/root
/bin/busybox mount -t overlay -o lowerdir=/host,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root
root=/mnt/root
/bin/busybox mount -t devtmpfs none \$root/dev
/bin/busybox mount -t proc none \$root/proc
/bin/busybox mount -t sysfs none \$root/sys
/bin/busybox mount -t tmpfs none \$root/run
/bin/busybox mkdir -p \$root/lib/modules/$version
/bin/busybox mount -o bind \$root${work#"$root"}/kernel/lib/modules/$version \$root/lib/modules/$version
/bin/busybox cp /command \$root/run/command
cd /
exec /bin/busybox switch_root /mnt/root /bin/bash $repository/tests/vm/inside.sh $repository "${NO_MODULES:-}"
END
chmod +x "$tree/init"
(cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initrd"

timeout "${VM_SECONDS:-900}" "${qemu[@]}" -accel "${VM_ACCEL:-tcg}" -smp 2 -m 3072 -nodefaults -no-reboot -display none \
    -kernel "$work/kernel/boot/vmlinuz-$version" -initrd "$work/initrd" -append "$boot quiet panic=-1" \
    -fsdev "local,id=host,path=${root:-/},security_model=none,readonly=on,multidevs=remap" \
    -device virtio-9p-pci,fsdev=host,mount_tag=host -serial stdio </dev/null | tee "$work/log" | sed -u 's/\r$//'
status=$(sed -n 's/^vm: exit status \([0-9]*\)\r*$/\1/p' "$work/log" | tail -1)
exit "${status:-1}"
