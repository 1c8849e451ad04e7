// SPDX-License-Identifier: Apache-2.0
#include "gateway.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <linux/rtnetlink.h>

#include "cni/error.h"
#include "endpoint/forwarding.h"
#include "os/log.h"
#include "os/text.h"

namespace bridge {

namespace {

using inet::Family;

bool is_in_main_table(const cni::Route& route) {
    return route.table.value_or(0) <= 0 || route.table == RT_TABLE_MAIN;
}

// The default route of a family, unless the IPAM plugin gave one a gateway, in whatever table. One of the main table
// without a gateway is that route, only incomplete: adding a second would be the same route twice, which the kernel
// refuses.
void add_default_route(cni::Result& result, Family family, const inet::Address& gateway) {
    for (cni::Route& route : result.routes) {
        const bool is_default = route.dst && route.dst->is_default() && route.dst->address.family() == family;
        if (!is_default || (!route.gw && !is_in_main_table(route)))
            continue;
        if (!route.gw)
            route.gw = gateway;
        return;
    }
    result.routes.push_back({.dst = inet::Prefix{inet::Address::any(family), 0}, .gw = gateway});
}

bool conflicts(const inet::Prefix& present, const inet::Prefix& wanted) {
    if (wanted.address.family() == Family::v4)
        return true;
    return present.contains(wanted.address) || wanted.contains(present.address);
}

// Another IPv4 address of the bridge is in the way of a gateway, and an IPv6 one in the same subnet; the other
// gateways of this network are not.
void make_room(netlink::Rtnl& host, const netlink::Link& link, const inet::Prefix& wanted,
               std::span<const inet::Prefix> present, std::span<const inet::Prefix> gateways, bool force) {
    for (const inet::Prefix& other : present) {
        if (!conflicts(other, wanted) || std::ranges::find(gateways, other) != gateways.end())
            continue;
        if (!force)
            throw cni::Error(
                os::cat(os::quote(link.name), " already has an IP address different from ", wanted.text()));
        try {
            host.delete_address(link.index, other);
        } catch (const netlink::Error& error) {
            throw cni::Error(
                os::cat("could not remove IP address from ", os::quote(link.name), ": ", os::errno_alone(error)));
        }
    }
}

void add_address(netlink::Rtnl& host, const netlink::Link& link, const inet::Prefix& wanted) {
    try {
        host.add_address(link.index, wanted, true);
    } catch (const netlink::Error& error) {
        if (error.err() == EEXIST)
            return; // another ADD was faster
        throw cni::Error(os::cat("could not add IP address ", wanted.text(), " to ", os::quote(link.name), ": ",
                                 os::errno_alone(error)));
    }
    // A bridge somebody made without a MAC takes its lowest port's, which changes as containers come and go.
    host.set_mac(link.index, link.mac);
}

} // namespace

std::vector<inet::Prefix> complete_gateways(const Config& config, cni::Result& result) {
    std::vector<inet::Prefix> gateways;
    bool has_default[2] = {false, false};
    for (cni::IpConfig& ip : result.ips) {
        ip.interface = 2;
        if (config.is_gateway && !ip.gateway)
            ip.gateway = ip.address.network().next();
        if (!ip.gateway)
            continue;
        const Family family = ip.address.address.family();
        bool& done = has_default[family == Family::v6 ? 1 : 0];
        if (config.is_default_gateway && !done) {
            add_default_route(result, family, *ip.gateway);
            done = true;
        }
        if (config.is_gateway)
            gateways.push_back({*ip.gateway, ip.address.length});
    }
    return gateways;
}

void add_gateways(netlink::Rtnl& host, const netlink::Link& link, const Config& config,
                  std::span<const inet::Prefix> gateways) {
    if (gateways.empty())
        return;
    const bool on_bridge = link.name == config.bridge;
    const std::vector<inet::Prefix> addresses = host.addresses(link.index);
    for (const Family family : {Family::v4, Family::v6}) {
        const auto of_family = [&](const inet::Prefix& gateway) { return gateway.address.family() == family; };
        if (std::ranges::none_of(gateways, of_family))
            continue;
        std::vector<inet::Prefix> present;
        std::ranges::copy_if(addresses, std::back_inserter(present),
                             [&](const inet::Prefix& p) { return p.address.family() == family; });
        for (const inet::Prefix& gateway : gateways) {
            if (!of_family(gateway) || std::ranges::find(present, gateway) != present.end())
                continue;
            cni::prefixed(
                on_bridge ? "failed to set bridge addr: " : "failed to set vlan interface for bridge with addr: ", [&] {
                    make_room(host, link, gateway, present, gateways, config.force_address);
                    add_address(host, link, gateway);
                });
        }
        endpoint::enable_forwarding(host, family);
    }
}

} // namespace bridge
