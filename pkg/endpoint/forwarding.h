// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "inet/address.h"
#include "netlink/rtnl.h"

namespace endpoint {

/// Switches IP forwarding of one family on, where it is not. With IPv6 forwarding the kernel stops listening to
/// router advertisements and drops the routes it learnt from them; an uplink with such a default route is told to
/// go on (accept_ra=2) before, so the host keeps its way out. Error `failed to enable forwarding: …`.
void enable_forwarding(netlink::Rtnl& host, inet::Family family);

/// A router advertisement from a container must not change the host's routes: this link of the host listens to none.
/// cni::Error when that cannot be had; a kernel without IPv6, and one that forwards on the link, listens to none
/// anyway.
void ignore_router_advertisements(const std::string& name);

} // namespace endpoint
