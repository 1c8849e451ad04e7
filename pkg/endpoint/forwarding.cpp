// SPDX-License-Identifier: Apache-2.0
#include "endpoint/forwarding.h"

#include <string>

#include <linux/rtnetlink.h>

#include "cni/error.h"
#include "os/sysctl.h"
#include "os/text.h"

namespace endpoint {

namespace {

void keep_advertised_routes(netlink::Rtnl& host) {
    for (const netlink::Route& route : host.routes(inet::Family::v6)) {
        if (route.protocol != RTPROT_RA || !route.dst.is_default())
            continue;
        const auto link = host.find_link(netlink::Index{route.device});
        if (!link)
            continue;
        const std::string key = os::cat("ipv6/conf/", link->name, "/accept_ra");
        if (os::read_net_sysctl(key) == "1")
            os::set_net_sysctl(key, "2");
    }
}

} // namespace

void enable_forwarding(netlink::Rtnl& host, inet::Family family) {
    const std::string key = family == inet::Family::v4 ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding";
    try {
        if (os::read_net_sysctl(key) == "1")
            return;
        if (family == inet::Family::v6)
            keep_advertised_routes(host);
        os::set_net_sysctl(key, "1");
    } catch (const os::Error& error) {
        throw cni::Error(os::cat("failed to enable forwarding: ", error.what()));
    }
}

void ignore_router_advertisements(const std::string& name) {
    const std::string link = os::cat("ipv6/conf/", name, "/"), key = link + "accept_ra";
    try {
        os::write_net_sysctl(key, "0");
    } catch (const os::Error& error) {
        const std::string listens = os::read_net_sysctl(key).value_or("0"); // 1: unless it forwards
        if (listens == "0" || (listens == "1" && os::read_net_sysctl(link + "forwarding") != "0"))
            return;
        throw cni::Error(os::cat("router advertisements of containers cannot be kept off interface ", os::quote(name),
                                 ": ", error.what(), "; set net.ipv6.conf.default.accept_ra=0 on this host"));
    }
}

} // namespace endpoint
