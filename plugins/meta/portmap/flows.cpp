// SPDX-License-Identifier: Apache-2.0
#include "flows.h"

#include <exception>
#include <vector>

#include "conntrack/flush.h"
#include "elements.h"
#include "netlink/rtnl.h"
#include "os/log.h"
#include "os/text.h"

namespace portmap {

namespace {

void flush(const std::vector<conntrack::FlowFilter>& filters, const conntrack::DestinationTest& is_wanted) {
    try {
        (void)conntrack::flush(filters, is_wanted);
    } catch (const std::exception& error) {
        os::warn(os::cat("established UDP and SCTP flows still lead where they led before: ", error.what()));
    }
}

} // namespace

void forget_flows_to_host(std::span<const Mapping> mappings, const Targets& targets) {
    std::vector<conntrack::FlowFilter> filters;
    for (const auto& target : {targets.v4, targets.v6}) {
        for (const Mapping& mapping : mappings) {
            if (!target || !mapping.applies_to(target->address.family()) || mapping.protocol == Protocol::tcp)
                continue;
            filters.push_back({.family = target->address.family(),
                               .protocol = static_cast<std::uint8_t>(mapping.protocol),
                               .dport = mapping.host_port,
                               .dport_end = mapping.host_port_end,
                               .dst = mapping.bound_to(),
                               .reply_src = {}});
        }
    }
    // The same port of another host, forwarded or asked by this one, is none of our business.
    std::optional<netlink::Rtnl> host;
    flush(filters, [&](const inet::Address& destination) {
        if (!host)
            host.emplace();
        const auto route = host->route_to(destination);
        return route && route->local;
    });
}

void forget_flows_to_container(std::span<const nft::Element> elements) {
    std::vector<conntrack::FlowFilter> filters;
    for (const nft::Element& element : elements) {
        const auto mapped = read_mapped(element);
        if (!mapped || mapped->protocol == Protocol::tcp)
            continue;
        filters.push_back({.family = mapped->container.family(),
                           .protocol = static_cast<std::uint8_t>(mapped->protocol),
                           .dport = mapped->host_port,
                           .dport_end = mapped->host_port_end,
                           .dst = mapped->bound_to,
                           .reply_src = mapped->container});
    }
    flush(filters, {});
}

} // namespace portmap
