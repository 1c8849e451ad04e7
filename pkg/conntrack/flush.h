// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "inet/address.h"

// Forgetting flows that the kernel tracks (ctnetlink), so that a changed port mapping counts for the next packet.
namespace conntrack {

/// Which flows: one address family and protocol, original destination port within [dport, dport_end].
struct FlowFilter {
    inet::Family family{};
    std::uint8_t protocol = 0; ///< IPPROTO_UDP, IPPROTO_SCTP
    std::uint16_t dport = 0, dport_end = 0;
    std::optional<inet::Address> dst;       ///< original destination
    std::optional<inet::Address> reply_src; ///< who answers: the container that the flow was sent to
};

/// Asked once for each distinct original destination of flows that match otherwise.
using DestinationTest = std::function<bool(const inet::Address&)>;

/// Deletes every flow that matches one of the filters, each by its exact original tuple; other flows to the same port
/// elsewhere are not touched. Lists the flows of the filters' families once. Throws os::Error; a kernel without
/// ctnetlink tracks nothing that could be flushed this way, and that is an os::Error too. Returns how many went.
std::size_t flush(std::span<const FlowFilter> filters, const DestinationTest& is_wanted = {});

} // namespace conntrack
