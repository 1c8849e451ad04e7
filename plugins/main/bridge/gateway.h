// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "cni/result.h"
#include "config.h"
#include "netlink/rtnl.h"

namespace bridge {

/// Completes the IPAM result: every address belongs to the container's interface (index 2), a missing gateway
/// becomes the subnet's first address (isGateway), and with isDefaultGateway each family gets its default route.
/// Returns the gateway addresses that the host has to carry.
[[nodiscard]] std::vector<inet::Prefix> complete_gateways(const Config& config, cni::Result& result);

/// Puts the gateway addresses on `link`, the bridge or its VLAN's interface, and switches forwarding on for their
/// families. A conflicting address is an error, or is replaced with forceAddress. The link's MAC is pinned when an
/// address is added.
void add_gateways(netlink::Rtnl& host, const netlink::Link& link, const Config& config,
                  std::span<const inet::Prefix> gateways);

} // namespace bridge
