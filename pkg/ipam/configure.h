// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cni/result.h"
#include "netlink/rtnl.h"

namespace ipam {

struct Options {
    bool dad = false; ///< run duplicate address detection and wait for it; otherwise addresses are usable at once
};
/// Puts an IPAM result on a container's interface: addresses, link up, routes, in the Go suite's order and
/// words (pkg/ipam ConfigureIface). Addresses whose `interface` is absent are skipped; one that names another
/// interface is an error. Must be called inside the container's namespace (it writes sysctls there).
void configure(netlink::Rtnl& container, const netlink::Link& link, const cni::Result& result, const Options& options);

/// What of a result is missing on the interface, in the Go suite's words; empty when all is there. Every address is
/// looked for, whatever interface it names.
[[nodiscard]] std::string missing_addresses(netlink::Rtnl& container, const netlink::Link& link,
                                            const cni::Result& result);
[[nodiscard]] std::string missing_routes(netlink::Rtnl& container, const cni::Result& result);

} // namespace ipam
