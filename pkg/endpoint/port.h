// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "netlink/rtnl.h"

namespace endpoint {

/// A link that has to be there, on the host or in the container: `failed to lookup "<name>": Link not found`.
[[nodiscard]] netlink::Link require_link(netlink::Rtnl& rtnl, const std::string& name);

/// Waits until the host end's operational state is "up", that is until the bridge forwards to it: at most 2.55 s,
/// the Go suite's patience, then `bridge port in error state: <state>`. Usually it is up at the first look.
[[nodiscard]] netlink::Link wait_for_port(netlink::Rtnl& host, const std::string& name);

/// A bridge gets its carrier from its first forwarding port, and until the kernel's link watch has seen to that, what
/// the host sends through the bridge is dropped. Waits for it once `port` forwards, with the same patience but no
/// error. A port that does not forward yet has STP to wait for: that takes half a minute, and nobody waits that long.
/// Returns the bridge as it is then.
[[nodiscard]] netlink::Link wait_for_bridge(netlink::Rtnl& host, const netlink::Link& bridge,
                                            const netlink::Link& port);

} // namespace endpoint
