// SPDX-License-Identifier: Apache-2.0
#include "ipam/configure.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "cni/error.h"
#include "os/deadline.h"
#include "os/signals.h"
#include "os/sysctl.h"
#include "os/text.h"

namespace ipam {

namespace {

using inet::Family;

// An interface that had IPv6 switched off gets it back when it is given an IPv6 address.
void enable_ipv6(const std::string& ifname) {
    for (const std::string& name : {std::string("lo"), ifname}) {
        const std::string key = os::cat("ipv6/conf/", name, "/disable_ipv6");
        try {
            os::set_net_sysctl(key, "0");
        } catch (const os::Error& error) {
            if (os::read_net_sysctl(key).value_or("0") != "0")
                throw cni::Error(os::cat("failed to enable IPv6 for interface ", os::quote(name), ": ", error.what()));
        }
    }
    const std::string keep = os::cat("ipv6/conf/", ifname, "/keep_addr_on_down");
    // No IPv6 at all: the kernel was told so, or the MTU is below 1280.
    if (!os::try_net_sysctl(keep, "1") && !os::net_sysctl_exists(os::cat("ipv6/conf/", ifname)))
        throw cni::Error(os::cat("failed to enable keep_addr_on_down for interface ", os::quote(ifname), ": open ",
                                 os::net_sysctl_path(keep), ": no such file or directory"));
}

// The addresses of a result that belong to this interface.
std::vector<const cni::IpConfig*> own_addresses(const netlink::Link& link, const cni::Result& result) {
    std::vector<const cni::IpConfig*> own;
    for (const cni::IpConfig& ip : result.ips) {
        if (!ip.interface)
            continue;
        const auto at = *ip.interface;
        const bool inside = at >= 0 && static_cast<std::size_t>(at) < result.interfaces.size();
        if (!inside || result.interfaces[static_cast<std::size_t>(at)].name != link.name)
            throw cni::Error(os::cat("failed to add IP addr ", ip.address.text(), " to ", os::quote(link.name),
                                     ": invalid interface index"));
        own.push_back(&ip);
    }
    return own;
}

// Waits until no IPv6 address is tentative, at most 5 s.
void settle(netlink::Rtnl& container, const netlink::Link& link) {
    const os::Deadline deadline = os::Deadline::in(std::chrono::seconds(5));
    for (;;) {
        const netlink::Rtnl::DadState state = container.dad_state(link.index);
        if (!state.failed.empty())
            throw cni::Error(os::cat("failed to settle addresses for ", os::quote(link.name), ": link ", link.name,
                                     " has address ", state.failed.front().text(), " in DADFAILED state"));
        if (state.tentative.empty())
            return;
        if (deadline.passed())
            throw cni::Error(os::cat("failed to settle addresses for ", os::quote(link.name), ": link ", link.name,
                                     " still has tentative addresses after 5 seconds"));
        os::poll_signals();
        (void)poll(nullptr, 0, 10);
    }
}

std::optional<inet::Address> gateway_for(Family family, const std::vector<const cni::IpConfig*>& addresses) {
    for (const cni::IpConfig* ip : addresses) {
        if (ip->gateway && ip->gateway->family() == family)
            return ip->gateway;
    }
    return std::nullopt;
}

// A destination as Go prints a net.IPNet: "{1.0.0.0 ff000000}". Callers have seen these texts for years.
std::string mask_text(const inet::Prefix& prefix) {
    std::string mask;
    for (unsigned bit = 0; bit < inet::bits(prefix.address.family()); bit += 8) {
        const unsigned set = prefix.length <= bit ? 0 : std::min(8U, prefix.length - bit);
        const auto byte = static_cast<std::uint8_t>(0xff00U >> set);
        mask += os::hex({&byte, 1});
    }
    return mask;
}

std::string text_or_nil(const std::optional<inet::Address>& address) {
    return address ? address->text() : "<nil>";
}

std::string scope_text(std::int64_t scope) {
    switch (scope) {
    case 0:
        return "universe";
    case 200:
        return "site";
    case 253:
        return "link";
    case 254:
        return "host";
    case 255:
        return "nowhere";
    default:
        return os::cat(scope);
    }
}

void add_route(netlink::Rtnl& container, const netlink::Link& link, const cni::Route& route,
               const std::vector<const cni::IpConfig*>& addresses) {
    if (!route.dst)
        throw cni::Error(
            os::cat("failed to add a route to ", os::quote(link.name), ": it has no destination (key \"dst\")"));
    const auto via = route.gw ? route.gw : gateway_for(route.dst->address.family(), addresses);
    const auto fail = [&](std::string_view why) {
        throw cni::Error(os::cat("failed to add route '{", route.dst->address.text(), " ", mask_text(*route.dst),
                                 "} via ", text_or_nil(via), " dev ", link.name, " metric ", route.priority,
                                 " (Scope: ", scope_text(route.scope.value_or(0)), ", Table: ", route.table.value_or(0),
                                 ")': ", why));
    };
    if (via && via->family() != route.dst->address.family())
        fail("gateway, source, and destination ip are not the same IP family");
    try {
        container.add_route({.dst = route.dst->masked(),
                             .via = via,
                             .device = link.index,
                             .mtu = route.mtu,
                             .advmss = route.advmss,
                             .priority = route.priority,
                             .table = route.table,
                             .scope = route.scope});
    } catch (const netlink::Error& error) {
        fail(os::errno_text(error.err()));
    }
}

} // namespace

void configure(netlink::Rtnl& container, const netlink::Link& link, const cni::Result& result, const Options& options) {
    if (result.interfaces.empty())
        throw cni::Error("no interfaces to configure");
    const auto addresses = own_addresses(link, result);
    const bool has_v6 =
        std::ranges::any_of(addresses, [](const auto* ip) { return ip->address.address.family() == Family::v6; });
    if (has_v6)
        enable_ipv6(link.name);
    for (const cni::IpConfig* ip : addresses) {
        try {
            container.add_address(link.index, ip->address, !options.dad);
        } catch (const netlink::Error& error) {
            throw cni::Error(os::cat("failed to add IP addr ", ip->address.text(), " to ", os::quote(link.name), ": ",
                                     os::errno_text(error.err())));
        }
    }
    container.set_up(link.index);
    if (options.dad && has_v6)
        settle(container, link);
    for (const cni::Route& route : result.routes)
        add_route(container, link, route, addresses);
}

namespace {

const std::vector<netlink::Route>& main_table(netlink::Rtnl& container, Family family,
                                              std::optional<std::vector<netlink::Route>>& cache) {
    if (!cache)
        cache = container.routes(family);
    return *cache;
}

std::string nil_or(const std::optional<std::int64_t>& number) {
    return number ? os::cat(*number) : "<nil>";
}

std::string expected(const cni::Route& route) {
    return os::cat("Expected Route {Dst:{IP:", route.dst->address.text(), " Mask:", mask_text(*route.dst),
                   "} GW:", text_or_nil(route.gw), " MTU:", route.mtu, " AdvMSS:", route.advmss,
                   " Priority:", route.priority, " Table:", nil_or(route.table), " Scope:", nil_or(route.scope),
                   "} not found in routing table");
}

} // namespace

std::string missing_addresses(netlink::Rtnl& container, const netlink::Link& link, const cni::Result& result) {
    std::optional<std::vector<netlink::Route>> tables[2];
    for (const cni::IpConfig& ip : result.ips) {
        const Family family = ip.address.address.family();
        const auto present = container.addresses(link.index, family);
        if (std::ranges::find(present, ip.address) == present.end())
            return os::cat("Failed to match addr ", ip.address.text(), " on interface ", link.name);
        if (ip.address.length == inet::bits(family))
            continue; // a host address has no connected route in the main table
        const auto& routes = main_table(container, family, tables[family == Family::v6 ? 1 : 0]);
        const inet::Prefix subnet = ip.address.masked();
        if (std::ranges::none_of(routes, [&](const netlink::Route& route) { return route.dst == subnet; }))
            return os::cat("Failed to find Gateway ", text_or_nil(ip.gateway), " for interface ", link.name);
    }
    return {};
}

std::string missing_routes(netlink::Rtnl& container, const cni::Result& result) {
    constexpr int main_number = 254;
    std::optional<std::vector<netlink::Route>> tables[2];
    for (const cni::Route& wanted : result.routes) {
        if (!wanted.dst || (wanted.table && *wanted.table != 0 && *wanted.table != main_number))
            continue; // only the main table is looked at
        const Family family = wanted.dst->address.family();
        const bool compare_gateway = wanted.gw && !wanted.dst->is_default() && !wanted.gw->is_unspecified();
        const auto matches = [&](const netlink::Route& route) {
            return route.dst == wanted.dst->masked() && (!compare_gateway || route.via == wanted.gw);
        };
        if (std::ranges::none_of(main_table(container, family, tables[family == Family::v6 ? 1 : 0]), matches))
            return expected(wanted);
    }
    return {};
}

} // namespace ipam
