// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
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

/// Gives a container's new port its VLANs, and takes away the bridge's default one: before the port comes up.
void tag_port(netlink::Rtnl& host, const netlink::Link& port, const netlink::BridgeVlans& of_bridge,
              const Config& config);

/// What of them the port does not have (CHECK); empty when all are there, or the kernel cannot be asked.
[[nodiscard]] std::string missing_vlans(netlink::Rtnl& host, const netlink::Link& port, const Config& config);

/// The interface that has the gateway addresses of a network with a VLAN, "<bridge>.<vlan>": one end of a veth pair,
/// whose other end is a port of the bridge in that VLAN. Like the bridge it is the host's, shared, never removed;
/// whatever an ADD that was killed left of it is completed. One that is up, or that somebody else made (an 802.1Q
/// link of the bridge, say), is taken as it is. Ready to carry traffic when this returns.
[[nodiscard]] netlink::Link ensure_vlan_gateway(netlink::Rtnl& host, const netlink::Link& bridge,
                                                const netlink::BridgeVlans& of_bridge, const Config& config);

/// A container's packets cross the bridge on their way to that interface. Where br_netfilter has bridged packets pass
/// through netfilter, masquerade takes hold of them there already, and they are dropped, for the bridge has no address
/// to give them: says so on stderr.
void warn_of_bridge_netfilter(std::span<const inet::Prefix> gateways);

} // namespace bridge
