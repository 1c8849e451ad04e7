// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <vector>

#include <linux/rtnetlink.h>

#include "netlink/request.h"

namespace netlink {

namespace {

void put_metrics(Message& message, const RouteSpec& spec) {
    if (spec.mtu <= 0 && spec.advmss <= 0)
        return;
    const Nest metrics(message, RTA_METRICS);
    if (spec.mtu > 0)
        message.put_u32(RTAX_MTU, static_cast<std::uint32_t>(spec.mtu));
    if (spec.advmss > 0)
        message.put_u32(RTAX_ADVMSS, static_cast<std::uint32_t>(spec.advmss));
}

std::optional<Route> read_route(nlmsghdr* reply) {
    nlattr* attributes[RTA_MAX + 1] = {};
    if (reply->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(reply, sizeof(rtmsg), attributes, RTA_MAX, nullptr) != 0)
        return std::nullopt;
    const auto* header = static_cast<const rtmsg*>(nlmsg_data(reply));
    const inet::Family family = header->rtm_family == AF_INET ? inet::Family::v4 : inet::Family::v6;
    Route route;
    route.dst = {get_address(attributes[RTA_DST]).value_or(inet::Address::any(family)), header->rtm_dst_len};
    if (route.dst.address.family() != family || route.dst.length > inet::bits(family))
        return std::nullopt; // "unreachable ::ffff:0:0/96" reads as IPv4: no route of ours
    route.via = get_address(attributes[RTA_GATEWAY]);
    route.device = static_cast<int>(get_u32(attributes[RTA_OIF]));
    route.table = attributes[RTA_TABLE] != nullptr ? get_u32(attributes[RTA_TABLE]) : header->rtm_table;
    route.priority = get_u32(attributes[RTA_PRIORITY]);
    route.protocol = header->rtm_protocol;
    return route;
}

// The next hops of a multipath route, each as a route of its own.
void add_next_hops(nlmsghdr* reply, const Route& route, std::vector<Route>& routes) {
    nlattr* attributes[RTA_MAX + 1] = {};
    if (nlmsg_parse(reply, sizeof(rtmsg), attributes, RTA_MAX, nullptr) != 0 || attributes[RTA_MULTIPATH] == nullptr)
        return;
    auto* hop = static_cast<rtnexthop*>(nla_data(attributes[RTA_MULTIPATH]));
    int left = nla_len(attributes[RTA_MULTIPATH]);
    while (left >= static_cast<int>(sizeof *hop) && hop->rtnh_len >= sizeof *hop && hop->rtnh_len <= left) {
        Route one = route;
        one.device = hop->rtnh_ifindex;
        auto* first = reinterpret_cast<nlattr*>(RTNH_DATA(hop));
        const int size = hop->rtnh_len - static_cast<int>(sizeof *hop);
        one.via = get_address(nla_find(first, size, RTA_GATEWAY));
        routes.push_back(one);
        left -= static_cast<int>(NLMSG_ALIGN(hop->rtnh_len));
        hop = reinterpret_cast<rtnexthop*>(reinterpret_cast<char*>(hop) + NLMSG_ALIGN(hop->rtnh_len));
    }
}

} // namespace

void Rtnl::add_route(const RouteSpec& spec) {
    const auto table = spec.table.value_or(0) > 0 ? static_cast<std::uint32_t>(*spec.table) : RT_TABLE_MAIN;
    rtmsg header{};
    header.rtm_family = family_number(spec.dst.address.family());
    header.rtm_dst_len = spec.dst.length;
    header.rtm_table = table < 256 ? static_cast<unsigned char>(table) : 0;
    header.rtm_protocol = RTPROT_BOOT;
    header.rtm_type = RTN_UNICAST;
    header.rtm_scope = static_cast<unsigned char>(spec.scope.value_or(RT_SCOPE_UNIVERSE));
    Message message(RTM_NEWROUTE, NLM_F_CREATE, header);
    message.put_address(RTA_DST, spec.dst.address);
    if (spec.via)
        message.put_address(RTA_GATEWAY, *spec.via);
    message.put_u32(RTA_OIF, static_cast<std::uint32_t>(spec.device));
    if (table >= 256)
        message.put_u32(RTA_TABLE, table);
    if (spec.priority > 0)
        message.put_u32(RTA_PRIORITY, static_cast<std::uint32_t>(spec.priority));
    put_metrics(message, spec);
    request(socket_.get(), message, {"add route", spec.dst.text()});
}

std::vector<Route> Rtnl::routes(inet::Family family) {
    rtmsg header{};
    header.rtm_family = family_number(family);
    Message message(RTM_GETROUTE, NLM_F_DUMP, header);
    message.put_u32(RTA_TABLE, RT_TABLE_MAIN);
    std::vector<Route> routes;
    const auto read = [&](nlmsghdr* reply) {
        const auto route = read_route(reply);
        if (!route || route->table != RT_TABLE_MAIN)
            return;
        const std::size_t before = routes.size();
        add_next_hops(reply, *route, routes);
        if (routes.size() == before)
            routes.push_back(*route);
    };
    query(socket_.get(), message, {"list", "routes"}, read, [&] { routes.clear(); });
    return routes;
}

std::optional<Rtnl::Lookup> Rtnl::route_to(const inet::Address& address) {
    rtmsg header{};
    header.rtm_family = family_number(address.family());
    header.rtm_dst_len = static_cast<unsigned char>(inet::bits(address.family()));
    Message message(RTM_GETROUTE, 0, header);
    message.put_address(RTA_DST, address);
    std::optional<Lookup> lookup;
    try {
        query(socket_.get(), message, {"look up route to", address.text()}, [&](nlmsghdr* reply) {
            if (const auto route = read_route(reply)) {
                const auto* answer = static_cast<const rtmsg*>(nlmsg_data(reply));
                lookup = Lookup{.device = Index{route->device}, .local = answer->rtm_type == RTN_LOCAL};
            }
        });
    } catch (const Error& error) {
        if (error.err() != ENETUNREACH && error.err() != EHOSTUNREACH && error.err() != EACCES && error.err() != EINVAL)
            throw;
    }
    return lookup;
}

} // namespace netlink
