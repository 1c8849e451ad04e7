#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# inside.sh REPOSITORY NO-MODULES: the first process of the virtual machine; run.sh has left the command in /run/command.
cd "$1" || exit
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mkdir -p /etc/modprobe.d /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
for module in $2; do echo "install $module /bin/false" >>/etc/modprobe.d/without.conf; done
ln -sf /proc/self/fd /dev/fd
ip link set lo up
modprobe br_netfilter # which loads by no other way
bash -c "$(cat /run/command)" 2>&1 | cat # to a pipe, not to a terminal
echo "vm: exit status ${PIPESTATUS[0]}"
sync
echo b >/proc/sysrq-trigger # with -no-reboot the end of the machine
sleep 60
