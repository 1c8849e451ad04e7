// SPDX-License-Identifier: Apache-2.0
#include "vlan_gateway.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <linux/if.h>

#include "cni/error.h"
#include "endpoint/forwarding.h"
#include "endpoint/host_veth.h"
#include "endpoint/port.h"
#include "os/log.h"
#include "os/sysctl.h"
#include "os/text.h"
#include "vlan.h"

namespace bridge {

namespace {

// Both ends in one request, one of them a port already. Another ADD may be faster; its pair is as good.
void create_pair(netlink::Rtnl& host, const netlink::Link& bridge, const std::string& name) {
    const auto create = [&](const std::string& port) {
        try {
            host.create_veth({.host_name = port,
                              .container_name = name,
                              .master = static_cast<int>(bridge.index),
                              .mtu = bridge.mtu});
            return true;
        } catch (const netlink::Error& error) {
            if (error.err() != EEXIST)
                throw;
        }
        return host.find_link(name).has_value();
    };
    if (!endpoint::try_host_veth_names(name, create))
        throw cni::Error("failed to find a unique veth name");
}

netlink::Link find_or_create(netlink::Rtnl& host, const netlink::Link& bridge, const std::string& name) {
    if (auto link = host.find_link(name))
        return *std::move(link);
    create_pair(host, bridge, name);
    return endpoint::require_link(host, name);
}

// The gateway's other end, unless it is a port of another bridge.
std::optional<netlink::Link> port_of(netlink::Rtnl& host, const netlink::Link& gateway, const netlink::Link& bridge) {
    auto port = host.find_other_end(gateway);
    const bool ours = port && (port->master == 0 || port->master == static_cast<int>(bridge.index));
    return ours ? std::move(port) : std::nullopt;
}

// The gateway is set up last, so one that is up is whole, but for what was changed by hand.
bool is_complete(netlink::Rtnl& host, const netlink::Link& gateway, const netlink::Link& port, const Vlans& vlans) {
    return port.master != 0 && gateway.operstate == IF_OPER_UP && port.operstate == IF_OPER_UP &&
           missing_vlans(host, port, vlans).empty();
}

// Each step may have been done by an ADD that was killed, or be done by another one at the same time.
netlink::Link complete(netlink::Rtnl& host, const netlink::Link& bridge, const netlink::Link& gateway,
                       const netlink::Link& port, const netlink::BridgeVlans& of_bridge, const Vlans& vlans) {
    if (port.master == 0)
        host.set_master(port.index, bridge.index);
    tag_port(host, port, of_bridge, vlans);
    for (const std::string& name : {port.name, gateway.name})
        endpoint::ignore_router_advertisements(name);
    host.set_alias(port.name, endpoint::alias_of(gateway.name), true);
    host.set_up(gateway.index);
    return endpoint::wait_for_bridge(host, gateway, endpoint::wait_for_port(host, port.name));
}

} // namespace

netlink::Link ensure_vlan_gateway(netlink::Rtnl& host, const netlink::Link& bridge,
                                  const netlink::BridgeVlans& of_bridge, const Config& config) {
    const std::string name = vlan_gateway_name(config);
    const Vlans vlans{.vlan = config.vlans.vlan, .preserve_default = config.vlans.preserve_default}; // no trunk
    return cni::prefixed("failed to create vlan interface: ", [&] {
        try {
            netlink::Link gateway = find_or_create(host, bridge, name);
            const auto port = port_of(host, gateway, bridge);
            if (!port || is_complete(host, gateway, *port, vlans))
                return gateway;
            return complete(host, bridge, gateway, *port, of_bridge, vlans);
        } catch (const netlink::Error& error) {
            throw cni::Error(os::cat("faild to create vlan gateway ", os::quote(name), ": ", error.reason()));
        }
    });
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

} // namespace bridge
