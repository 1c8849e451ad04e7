// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "config.h"
#include "netlink/rtnl.h"

namespace bridge {

/// The interface that has the gateway addresses of a network with a VLAN, "<bridge>.<vlan>": one end of a veth pair,
/// whose other end is a port of the bridge in that VLAN. Like the bridge it is the host's, shared, never removed;
/// whatever an ADD that was killed left of it is completed. One that somebody else made (an 802.1Q link of the bridge,
/// say) is taken as it is. Ready to carry traffic when this returns.
[[nodiscard]] netlink::Link ensure_vlan_gateway(netlink::Rtnl& host, const netlink::Link& bridge,
                                                const netlink::BridgeVlans& of_bridge, const Config& config);

/// A container's packets cross the bridge on their way to such a veth pair. Where br_netfilter has bridged packets pass
/// through netfilter, masquerade takes hold of them there already, and they are dropped, for the bridge has no address
/// to give them: says so on stderr.
void warn_of_bridge_netfilter(std::span<const inet::Prefix> gateways);

} // namespace bridge
