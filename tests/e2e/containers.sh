# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What podman and buildah share: containers.conf and storage.conf of the work folder, and the image. Used with lib.sh.
use_containers_conf() { # further lines of [engine], and what may follow, come from standard input
    make_image image.tar
    mkdir networks
    {
        cat <<END
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "$E2E_WORK/networks"
[engine]
cgroup_manager = "cgroupfs"
runtime = "crun"
END
        cat
    } >containers.conf
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/storage"\nrunroot = "/run/storage"\n' "$E2E_WORK" >storage.conf
    export CONTAINERS_CONF=$PWD/containers.conf CONTAINERS_STORAGE_CONF=$PWD/storage.conf TMPDIR=$E2E_WORK
}
