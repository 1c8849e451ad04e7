// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <net/if.h>

#include <optional>
#include <vector>

#include "cni/error.h"
#include "ipam/configure.h"
#include "netlink/rtnl.h"
#include "netns/netns.h"
#include "nftables/masquerade.h"
#include "nftables/spoofcheck.h"
#include "os/text.h"
#include "vlan.h"

namespace bridge {

namespace {

[[noreturn]] void fail(std::string message) {
    throw cni::Error(std::move(message));
}

// The interfaces of a prevResult by their role; the last of several wins, as in the Go suite.
struct Roles {
    std::optional<cni::Interface> bridge, container;
    std::vector<cni::Interface> others;
};

Roles roles_of(const cni::Result& result, const Config& config, const cni::Invocation& call) {
    Roles roles;
    for (const cni::Interface& interface : result.interfaces) {
        if (interface.name == config.bridge)
            roles.bridge = interface;
        else if (interface.name != call.ifname)
            roles.others.push_back(interface);
        else if (interface.sandbox == call.netns)
            roles.container = interface;
    }
    return roles;
}

netlink::Link check_bridge(netlink::Rtnl& host, const Config& config, const std::optional<cni::Interface>& expected) {
    if (!expected)
        fail("Interface name missing ");
    const auto link = host.find_link(expected->name);
    if (!link)
        fail(os::cat("Interface name ", expected->name, " not found"));
    if (!expected->sandbox.empty())
        fail(os::cat("Interface ", expected->name, " should not be in sandbox"));
    if (link->kind != "bridge")
        fail(os::cat("Interface ", expected->name, " does not have link type of bridge"));
    if (!expected->mac.empty() && expected->mac != link->mac.text())
        fail(os::cat("Bridge interface ", expected->name, " Mac doesn't match: ", expected->mac));
    const bool promiscuous = link->promiscuity != 0;
    if (config.promisc && !promiscuous)
        fail(os::cat("Bridge interface ", expected->name,
                     " configured Promisc Mode true doesn't match current state: false "));
    return *link;
}

netlink::Link check_container(netlink::Rtnl& container, const cni::Interface& expected) {
    const auto link = container.find_link(expected.name);
    if (!link)
        fail(os::cat("Interface name ", expected.name, " not found"));
    if (link->kind != "veth")
        fail(os::cat("Error: Container interface ", expected.name, " not of type veth"));
    if (link->peer == 0)
        fail(os::cat("Unable to obtain veth peer index for veth ", expected.name));
    if (!expected.mac.empty() && expected.mac != link->mac.text())
        fail(os::cat("Interface ", expected.name, " Mac ", expected.mac,
                     " doesn't match container Mac: ", link->mac.text()));
    return *link;
}

netlink::Link check_host_veth(netlink::Rtnl& host, const std::vector<cni::Interface>& candidates,
                              const netlink::Link& bridge, const netlink::Link& container) {
    for (const cni::Interface& expected : candidates) {
        if (expected.name.empty())
            fail("Interface name missing ");
        const auto link = host.find_link(expected.name);
        if (!link)
            fail(os::cat("Interface name ", expected.name, " not found"));
        if (!expected.sandbox.empty())
            fail(os::cat("Interface ", expected.name, " should not be in sandbox"));
        const bool joined = link->kind == "veth" && link->peer == static_cast<int>(container.index) &&
                            container.peer == static_cast<int>(link->index) &&
                            link->master == static_cast<int>(bridge.index);
        if (!joined)
            continue;
        if (!expected.mac.empty() && expected.mac != link->mac.text())
            fail(os::cat("Interface ", expected.name, " Mac doesn't match: ", expected.mac, " not found"));
        return *link;
    }
    fail(os::cat("CNI veth created for bridge ", bridge.name, " was not found"));
}

// Something else may have flushed the host's ruleset: the container then talks to its neighbours only.
std::string missing_masquerade(const cni::Invocation& call, const cni::Result& result) {
    nft::Socket socket;
    return nft::missing_masquerade(socket, call.owner(), result.addresses());
}

} // namespace

void check_endpoint(const cni::Invocation& call, const Config& config, const netns::Netns& sandbox) {
    const auto previous = call.prev_result();
    if (!previous)
        fail("Required prevResult missing");
    const Roles roles = roles_of(*previous, config, call);
    netlink::Rtnl host;
    const netlink::Link bridge = check_bridge(host, config, roles.bridge);
    if (!roles.container)
        fail(os::cat("Sandbox in prevResult  doesn't match configured netns: ", call.netns));
    netlink::Rtnl container = netlink::Rtnl::in(sandbox);
    const netlink::Link end = check_container(container, *roles.container);
    const netlink::Link port = check_host_veth(host, roles.others, bridge, end);

    std::string missing = ipam::missing_addresses(container, end, *previous);
    if (missing.empty())
        missing = ipam::missing_routes(container, *previous);
    if (missing.empty() && config.ip_masq)
        missing = missing_masquerade(call, *previous);
    if (missing.empty() && config.mac_spoof_check) {
        nft::Socket socket;
        missing = nft::missing_spoof_check(socket, call.owner(), port.name, end.mac);
    }
    if (missing.empty() && config.vlans.any())
        missing = missing_vlans(host, port, config.vlans);
    if (!missing.empty())
        fail(missing);
}

} // namespace bridge
