// SPDX-License-Identifier: Apache-2.0
#include "vlan.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace bridge {

namespace {

using netlink::PortVlan;

constexpr std::uint16_t native_of_trunks = 1;
constexpr std::string_view no_filtering =
    "the kernel cannot filter VLANs of bridges: it needs CONFIG_BRIDGE_VLAN_FILTERING; use one that has it, or remove "
    "the keys \"vlan\" and \"vlanTrunk\"";

PortVlan native(std::uint16_t vlan) {
    return {.first = vlan, .last = vlan, .pvid = true, .untagged = true};
}

bool has(std::span<const PortVlan> vlans, std::uint16_t vlan) {
    return std::ranges::any_of(vlans, [&](const PortVlan& v) { return v.first <= vlan && vlan <= v.last; });
}

// The native one comes last, as it has the last word where the trunk has that VLAN too.
std::vector<PortVlan> wanted_vlans(const Vlans& keys) {
    std::vector<PortVlan> vlans = keys.trunk;
    vlans.push_back(native(keys.vlan != 0 ? keys.vlan : native_of_trunks));
    return vlans;
}

enum class Tag : std::uint8_t { absent, tagged, untagged, native };

std::array<Tag, netlink::last_vlan + 1> spread(std::span<const PortVlan> vlans) {
    std::array<Tag, netlink::last_vlan + 1> tags{};
    for (const PortVlan& v : vlans) {
        const Tag tag = !v.untagged ? Tag::tagged : v.pvid ? Tag::native : Tag::untagged;
        for (unsigned vlan = v.first; vlan <= v.last && vlan < tags.size(); ++vlan)
            tags[vlan] = tag;
    }
    return tags;
}

} // namespace

std::string missing_vlan_support(netlink::Rtnl& host, const Config& config) {
    if (!config.vlans.filtering || host.supports_bridge_vlans())
        return {};
    return std::string(no_filtering);
}

netlink::BridgeVlans look_up_vlans(netlink::Rtnl& host, const netlink::Link& bridge, const Config& config) {
    if (!config.vlans.any())
        return {};
    const auto vlans = host.bridge_vlans(bridge.index);
    if (!vlans)
        throw cni::Error(os::cat("failed to set up VLANs on bridge ", os::quote(bridge.name), ": ", no_filtering));
    if (!vlans->filtering)
        os::warn(os::cat("bridge ", bridge.name, " does not filter VLANs, so that \"vlan\" and \"vlanTrunk\" separate ",
                         "nothing; to have it do so: ip link set ", bridge.name, " type bridge vlan_filtering 1"));
    return *vlans;
}

// A port that is new has the bridge's default VLAN and no other.
void tag_port(netlink::Rtnl& host, const netlink::Link& port, const netlink::BridgeVlans& of_bridge,
              const Vlans& keys) {
    const auto failed = [&](std::string_view what, const netlink::Error& error) {
        return cni::Error(os::cat("failed to ", what, " on interface ", os::quote(port.name), ": ", error.reason()));
    };
    const std::vector<PortVlan> vlans = wanted_vlans(keys);
    try {
        if (!keys.preserve_default && of_bridge.default_vlan != 0 && !has(vlans, of_bridge.default_vlan))
            host.delete_port_vlan(port.index, of_bridge.default_vlan);
    } catch (const netlink::Error& error) {
        throw failed("remove default vlan", error);
    }
    try {
        host.add_port_vlans(port.index, vlans);
    } catch (const netlink::Error& error) {
        throw failed("setup vlan tag", error);
    }
}

std::string missing_vlans(netlink::Rtnl& host, const netlink::Link& port, const Vlans& keys) {
    const auto present = host.port_vlans(port.index);
    if (!present)
        return {};
    const auto wanted = spread(wanted_vlans(keys)), found = spread(*present);
    for (std::size_t vlan = 1; vlan < wanted.size(); ++vlan) {
        if (wanted[vlan] != Tag::absent && wanted[vlan] != found[vlan])
            return os::cat("Interface ", port.name, " does not have VLAN ", vlan,
                           wanted[vlan] == Tag::native ? " as its native one" : " tagged");
    }
    return {};
}

} // namespace bridge
