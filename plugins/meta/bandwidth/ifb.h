// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cni/invocation.h"
#include "netlink/rtnl.h"
#include "os/undo.h"

// The link through which a container's traffic is led to be limited. Like a host veth its alias tells the owner, and
// whether it is finished; see endpoint/host_veth.h.
namespace bandwidth {

/// Names it may have: the Go suite's, then one for this interface, should the container have two on the network.
[[nodiscard]] std::vector<std::string> ifb_names(const cni::Invocation& call);

/// Creates it, up, with the veth's MTU, and pushes its removal; finished once the runtime has the result. One that an
/// ADD left half-made is removed first, and so is one of another veth; a finished one is refused: adding link: file
/// exists
[[nodiscard]] netlink::Link create_ifb(netlink::Rtnl& host, const cni::Invocation& call, const netlink::Link& veth,
                                       os::Undo& undo);

/// This attachment's, ours or the Go suite's.
[[nodiscard]] std::optional<netlink::Link> find_ifb(netlink::Rtnl& host, const cni::Invocation& call);

} // namespace bandwidth
