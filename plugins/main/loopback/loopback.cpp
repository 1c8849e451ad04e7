// SPDX-License-Identifier: Apache-2.0
// loopback: brings the container's lo up; the kernel then adds 127.0.0.1/8 and ::1/128. README.md has the keys.

#include <optional>
#include <string>

#include "cni/run.h"
#include "netlink/rtnl.h"
#include "netns/netns.h"
#include "os/text.h"

namespace {

// Whatever CNI_IFNAME says: there is only one loopback interface.
constexpr const char* device = "lo";

/// The result of the plugin before us in the chain.
std::optional<cni::Result> read_config(const cni::Invocation& call) {
    cni::prefixed("failed to parse network config: ", [&] { (void)cni::read_net_conf(call.config); });
    call.config.warn_unknown();
    return cni::prefixed("failed to parse prevResult: ", [&] { return call.prev_result(); });
}

netlink::Link find_device(netlink::Rtnl& container) {
    const auto link = container.find_link(device);
    if (!link)
        throw cni::Error("Link not found");
    return *link;
}

void bring_up(netlink::Rtnl& container, const netlink::Link& link, const cni::Invocation& call, os::Undo& undo) {
    if (link.is_up())
        return;
    undo.push("lo up", [path = call.netns] {
        if (const auto sandbox = netns::Netns::find(path)) {
            netlink::Rtnl rtnl = netlink::Rtnl::in(*sandbox);
            rtnl.set_down(find_device(rtnl).index);
        }
    });
    container.set_up(link.index);
}

/// The first address of a family, once all of them have proven to be loopback ones.
std::optional<inet::Prefix> first_address(netlink::Rtnl& container, const netlink::Link& link, inet::Family family) {
    const auto addresses = container.addresses(link.index, family);
    for (const inet::Prefix& prefix : addresses) {
        if (!prefix.address.is_loopback())
            throw cni::Error(
                os::cat("loopback interface found with non-loopback address ", os::quote(prefix.address.text())));
    }
    return addresses.empty() ? std::nullopt : std::optional(addresses.front());
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const auto previous = read_config(call);
    netlink::Rtnl container = netlink::Rtnl::in(netns::Netns::open(call.netns));
    const netlink::Link link = find_device(container);
    bring_up(container, link, call, undo);

    cni::Result result;
    result.interfaces = {{.name = device, .mac = "00:00:00:00:00:00", .sandbox = call.netns}};
    for (const auto family : {inet::Family::v4, inet::Family::v6}) {
        if (const auto address = first_address(container, link, family))
            result.ips.push_back({.interface = 0, .address = *address, .gateway = {}});
    }
    return previous.value_or(result);
}

void del(const cni::Invocation& call) {
    const auto sandbox = netns::Netns::find(call.netns);
    if (!sandbox)
        return;
    netlink::Rtnl container = netlink::Rtnl::in(*sandbox);
    container.set_down(find_device(container).index);
}

void check(const cni::Invocation& call) {
    netlink::Rtnl container = netlink::Rtnl::in(netns::Netns::open(call.netns));
    if (!find_device(container).is_up())
        throw cni::Error("loopback interface is down");
}

} // namespace

// GC and STATUS: nothing is kept outside the container's namespace, and nothing can be missing.
int main(int argc, char** argv) {
    return cni::run({.name = "loopback",
                     .add = add,
                     .del = del,
                     .check = check,
                     .licences = "Apache-2.0; contains libnl (LGPL-2.1), JSON for Modern C++ (MIT)"},
                    argc, argv);
}
