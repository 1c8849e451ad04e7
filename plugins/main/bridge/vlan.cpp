// SPDX-License-Identifier: Apache-2.0
#include "vlan.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include <linux/if.h>

#include "cni/error.h"
#include "endpoint/host_veth.h"
#include "endpoint/port.h"
#include "os/log.h"
#include "os/sysctl.h"
#include "os/text.h"

namespace bridge {

namespace {

using netlink::PortVlan;

constexpr std::uint16_t native_of_trunks = 1;
constexpr unsigned attempts = 4; // host_veth.cpp's
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

// A port that is new has the bridge's default VLAN and no other.
void set_vlans(netlink::Rtnl& host, const netlink::Link& port, std::span<const PortVlan> vlans,
               const netlink::BridgeVlans& of_bridge, bool preserve_default) {
    const auto failed = [&](std::string_view what, const netlink::Error& error) {
        return cni::Error(os::cat("failed to ", what, " on interface ", os::quote(port.name), ": ", error.reason()));
    };
    try {
        if (!preserve_default && of_bridge.default_vlan != 0 && !has(vlans, of_bridge.default_vlan))
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

// Both ends in one request, one of them a port already. Another ADD may be faster; its pair is as good.
void create_pair(netlink::Rtnl& host, const netlink::Link& bridge, const std::string& name) {
    for (unsigned attempt = 0; attempt < attempts; ++attempt) {
        try {
            host.create_veth({.host_name = endpoint::host_veth_name(name, attempt),
                              .container_name = name,
                              .master = static_cast<int>(bridge.index),
                              .mtu = bridge.mtu});
            return;
        } catch (const netlink::Error& error) {
            if (error.err() != EEXIST)
                throw;
        }
        if (host.find_link(name))
            return;
    }
    throw cni::Error("failed to find a unique veth name");
}

netlink::Link find_or_create(netlink::Rtnl& host, const netlink::Link& bridge, const std::string& name) {
    if (auto link = host.find_link(name))
        return *std::move(link);
    create_pair(host, bridge, name);
    auto link = host.find_link(name);
    if (!link)
        throw cni::Error(os::cat("failed to lookup ", os::quote(name), ": Link not found"));
    return *std::move(link);
}

// The other end, when the gateway is a veth of which both ends are here, and that end nobody else's.
std::optional<netlink::Link> port_of(netlink::Rtnl& host, const netlink::Link& gateway, const netlink::Link& bridge) {
    if (gateway.kind != "veth" || gateway.peer == 0 || gateway.peer_elsewhere)
        return std::nullopt;
    auto port = host.find_link(netlink::Index{gateway.peer});
    const bool ours = port && port->kind == "veth" && port->peer == static_cast<int>(gateway.index) &&
                      (port->master == 0 || port->master == static_cast<int>(bridge.index));
    return ours ? std::move(port) : std::nullopt;
}

// The gateway is set up last, so one that is up is whole, but for what was changed by hand.
bool is_complete(netlink::Rtnl& host, const netlink::Link& gateway, const netlink::Link& port, std::uint16_t vlan) {
    if (port.master == 0 || gateway.operstate != IF_OPER_UP || port.operstate != IF_OPER_UP)
        return false;
    const auto vlans = host.port_vlans(port.index);
    return !vlans || has(*vlans, vlan);
}

// Each step may have been done by an ADD that was killed, or be done by another one at the same time.
netlink::Link complete(netlink::Rtnl& host, const netlink::Link& bridge, const netlink::Link& gateway,
                       const netlink::Link& port, const netlink::BridgeVlans& of_bridge, const Vlans& keys) {
    if (port.master == 0)
        host.set_master(port.index, bridge.index);
    set_vlans(host, port, std::array{native(keys.vlan)}, of_bridge, keys.preserve_default);
    for (const std::string& name : {port.name, gateway.name})
        os::try_net_sysctl(os::cat("ipv6/conf/", name, "/accept_ra"), "0");
    host.set_alias(port.name, endpoint::alias_of(gateway.name), true);
    host.set_up(gateway.index);
    return endpoint::wait_for_bridge(host, gateway, endpoint::wait_for_port(host, port.name));
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

void tag_port(netlink::Rtnl& host, const netlink::Link& port, const netlink::BridgeVlans& of_bridge,
              const Config& config) {
    set_vlans(host, port, wanted_vlans(config.vlans), of_bridge, config.vlans.preserve_default);
}

std::string missing_vlans(netlink::Rtnl& host, const netlink::Link& port, const Config& config) {
    const auto present = host.port_vlans(port.index);
    if (!present)
        return {};
    const auto wanted = spread(wanted_vlans(config.vlans)), found = spread(*present);
    for (std::size_t vlan = 1; vlan < wanted.size(); ++vlan) {
        if (wanted[vlan] != Tag::absent && wanted[vlan] != found[vlan])
            return os::cat("Interface ", port.name, " does not have VLAN ", vlan,
                           wanted[vlan] == Tag::native ? " as its native one" : " tagged");
    }
    return {};
}

void warn_of_bridge_netfilter(std::span<const inet::Prefix> gateways) {
    for (const auto& [family, name] :
         {std::pair(inet::Family::v4, "iptables"), std::pair(inet::Family::v6, "ip6tables")}) {
        const auto is_family = [family = family](const inet::Prefix& p) { return p.address.family() == family; };
        const std::string key = os::cat("bridge/bridge-nf-call-", name);
        if (std::ranges::any_of(gateways, is_family) && os::read_net_sysctl(key) == "1")
            os::warn(os::cat("\"ipMasq\" with \"vlan\": what containers send beyond their subnet is dropped while "
                             "bridged packets pass through netfilter; sysctl net.bridge.bridge-nf-call-",
                             name, "=0 lets it pass"));
    }
}

netlink::Link ensure_vlan_gateway(netlink::Rtnl& host, const netlink::Link& bridge,
                                  const netlink::BridgeVlans& of_bridge, const Config& config) {
    const std::string name = vlan_gateway_name(config);
    return cni::prefixed("failed to create vlan interface: ", [&] {
        try {
            const netlink::Link gateway = find_or_create(host, bridge, name);
            const auto port = port_of(host, gateway, bridge);
            if (!port || is_complete(host, gateway, *port, config.vlans.vlan))
                return gateway;
            return complete(host, bridge, gateway, *port, of_bridge, config.vlans);
        } catch (const netlink::Error& error) {
            throw cni::Error(os::cat("faild to create vlan gateway ", os::quote(name), ": ", error.reason()));
        }
    });
}

} // namespace bridge
