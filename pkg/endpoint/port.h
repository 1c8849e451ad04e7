// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "netlink/rtnl.h"

namespace endpoint {

/// Waits until the host end's operational state is "up", that is until the bridge forwards to it: at most 2.55 s,
/// the Go suite's patience, then `bridge port in error state: <state>`. Usually it is up at the first look.
[[nodiscard]] netlink::Link wait_for_port(netlink::Rtnl& host, const std::string& name);

/// A bridge gets its carrier from its first forwarding port, and until the kernel's link watch has seen to that what
/// the host sends through the bridge is dropped. For a bridge that had none when `bridge` was read: waits for it, at
/// most 0.1 s (with STP it takes half a minute, and nobody waits that long).
void wait_for_bridge(netlink::Rtnl& host, const netlink::Link& bridge);

} // namespace endpoint
