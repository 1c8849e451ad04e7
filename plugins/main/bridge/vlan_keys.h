// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cni/object.h"
#include "netlink/bridge_vlan.h"

namespace bridge {

/// `vlan`, `vlanTrunk` and `preserveDefaultVlan`, checked.
struct Vlans {
    std::uint16_t vlan = 0;               ///< the container's own, untagged; 0: none
    std::vector<netlink::PortVlan> trunk; ///< sorted, apart from each other
    bool filtering = false;               ///< a new bridge is to filter VLANs: an empty vlanTrunk asks for it as well
    bool preserve_default = false;        ///< of the port, the bridge's default VLAN
    bool operator==(const Vlans&) const = default;

    [[nodiscard]] bool any() const { return vlan != 0 || !trunk.empty(); }
};

/// The same as they were written, of the right types.
struct VlanKeys {
    struct Entry {
        std::optional<std::int64_t> min, max, id;
    };
    std::int64_t vlan = 0;
    std::vector<Entry> trunk;
    bool has_trunk = false;
    bool preserve_default = false;
};

[[nodiscard]] VlanKeys read_vlan_keys(const cni::Object& config);
/// Values out of range are refused in the Go suite's words.
[[nodiscard]] Vlans check_vlan_keys(const VlanKeys& keys);

} // namespace bridge
