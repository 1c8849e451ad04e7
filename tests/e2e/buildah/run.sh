#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# buildah with network_backend "cni": each `buildah run` is one ADD and one DEL.
set -u
needs=(buildah crun busybox jq ip nft iptables)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/e2e/containers.sh
. "$(dirname "$0")/../containers.sh"
private_machine "$0" "$@"

use_containers_conf </dev/null
export BUILDAH_ISOLATION=oci
cat >networks/87-podman.conflist <<END
{"cniVersion": "0.4.0", "name": "podman", "plugins": [
  {"type": "bridge", "bridge": "cni-podman0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.222.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}},
  {"type": "firewall"}, {"type": "tuning"}]}
END
step() { buildah run box "$@"; }
has_address() { is "$(step ip -4 -o addr show eth0 | sed -nE 's/.* inet ([0-9.]+).*/\1/p')" '10.222.0.?'; }
leased() { [ -n "$(leases podman)" ]; }
meanwhile() { # one step waits at its end of a pipe while the plugins are replaced: ADD by the old, DEL by the new
    mkfifo pipe
    step cat <pipe >said 2>&1 &
    exec 3>pipe
    eventually leased
    later_plugins
    echo enough >&3 && exec 3>&-
    wait "$!"
    # buildah crashes when a DEL fails; that of the Go suite's bridge does, when its masquerade chain has never been.
    is "$(cat said)" "enough$([ "$plugin_set" != ours-go ] || echo '*runConfigureNetwork*')"
}

must 'a container from the archive' buildah from --name box docker-archive:image.tar:e2e.local/busybox:1
check 'a step has an address' has_address
check 'a step pings the gateway' step ping -c 1 -W 2 10.222.0.1
check 'a step during which the plugins may change' meanwhile
check 'rm' buildah rm box
check_left networks/87-podman.conflist
verdict "$started"
