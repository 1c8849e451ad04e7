// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// VLANs of bridges and their ports, as `bridge vlan` shows them.
namespace netlink {

constexpr std::uint16_t last_vlan = 4094;

/// VLANs `first` to `last` of a port. Tagged, but for what the flags say.
struct PortVlan {
    std::uint16_t first = 0, last = 0;
    bool pvid = false;     ///< what comes in without a tag belongs to it; of a single VLAN only
    bool untagged = false; ///< goes out without its tag
    bool operator==(const PortVlan&) const = default;
};

struct BridgeVlans {
    bool filtering = false;         ///< otherwise VLANs of ports have no effect
    std::uint16_t default_vlan = 0; ///< which a new port has, as PVID and untagged; 0: none
};

} // namespace netlink
