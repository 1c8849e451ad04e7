// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "netlink/rtnl.h"

namespace endpoint {

/// Waits until the host end's operational state is "up", that is until the bridge forwards to it: at most 2.55 s,
/// the Go suite's patience, then `bridge port in error state: <state>`. Usually it is up at the first look.
[[nodiscard]] netlink::Link wait_for_port(netlink::Rtnl& host, const std::string& name);

} // namespace endpoint
