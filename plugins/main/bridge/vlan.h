// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config.h"
#include "netlink/rtnl.h"

namespace bridge {

/// Why this kernel cannot do what the config's VLAN keys ask for; empty when it can.
[[nodiscard]] std::string missing_vlan_support(netlink::Rtnl& host, const Config& config);

/// What the bridge does about VLANs, for the functions below; asked only where the config wants some. A kernel that
/// filters none is an error, a bridge that filters none a warning.
[[nodiscard]] netlink::BridgeVlans look_up_vlans(netlink::Rtnl& host, const netlink::Link& bridge,
                                                 const Config& config);

/// Gives a new port its VLANs, and takes away the bridge's default one: before the port comes up.
void tag_port(netlink::Rtnl& host, const netlink::Link& port, const netlink::BridgeVlans& of_bridge, const Vlans& keys);

/// What of them the port does not have (CHECK); empty when all are there, or the kernel cannot be asked.
[[nodiscard]] std::string missing_vlans(netlink::Rtnl& host, const netlink::Link& port, const Vlans& keys);

} // namespace bridge
