// SPDX-License-Identifier: Apache-2.0
// bandwidth: limits what goes to a container, on the host's end of its veth pair, and what comes from it, on an ifb
// that the traffic is led through. README.md has the keys.

#include <utility>

#include "cni/run.h"
#include "config.h"
#include "endpoint/host_veth.h"
#include "ifb.h"
#include "netlink/rtnl.h"
#include "netns/netns.h"
#include "os/text.h"
#include "shaper.h"

using bandwidth::Config;
using bandwidth::FarEnd;
using netlink::Link;

namespace {

constexpr std::string_view versions[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

// The text is the Go suite's, which prints a handle that it does not have.
netns::Netns open_sandbox(const cni::Invocation& call) {
    try {
        return netns::Netns::open(call.netns);
    } catch (const os::Error& error) {
        throw cni::Error(os::cat("failed to open netns %!q(<nil>): ", error.what()));
    }
}

/// Index, on the host, of the other end of the container's interface.
netlink::Index peer_index(const cni::Invocation& call) {
    const std::string prefix = os::cat("container interface ", call.ifname, " has no veth peer: ");
    const auto link = netlink::Rtnl::in(open_sandbox(call)).find_link(call.ifname);
    if (!link)
        throw cni::Error(os::cat(prefix, "could not look up ", os::quote(call.ifname), ": Link not found"));
    if (link->kind != "veth")
        throw cni::Error(os::cat(prefix, "interface ", os::quote(call.ifname), " was not a veth interface"));
    return netlink::Index{link->peer};
}

/// The host's end: what the kernel says is the peer, and the plugins before us say is theirs.
Link host_interface(netlink::Rtnl& host, const cni::Invocation& call, const cni::Result& result) {
    if (result.interfaces.empty()) {
        (void)open_sandbox(call);
        throw cni::Error("no interfaces provided");
    }
    const netlink::Index index = peer_index(call);
    const auto link = host.find_link(index);
    if (!link)
        throw cni::Error(os::cat("veth peer with index ", static_cast<int>(index), " is not in host ns"));
    for (const cni::Interface& interface : result.interfaces) {
        if (interface.sandbox.empty() && interface.name == link->name)
            return *link;
    }
    throw cni::Error("no veth peer of container interface found in host ns");
}

// Toward the container. What is there already was left by an ADD that was killed.
void limit_ingress(netlink::Rtnl& host, const Link& veth, const Config& config, os::Undo& undo) {
    undo.push(os::cat("limits of ", veth.name), [name = veth.name] { bandwidth::unshape(name); });
    bandwidth::shape(host, veth, config.ingress, config.subnets, FarEnd::source);
}

// From the container: nothing can wait on a link's way in, so it makes a detour. The limit is there before the traffic.
void limit_egress(netlink::Rtnl& host, const Link& veth, const Link& ifb, const Config& config, os::Undo& undo) {
    cni::prefixed("create ifb qdisc: ",
                  [&] { bandwidth::shape(host, ifb, config.egress, config.subnets, FarEnd::destination); });
    undo.push(os::cat("redirection of ", veth.name), [name = veth.name] { bandwidth::stop_redirecting(name); });
    bandwidth::redirect(host, veth, ifb);
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const Config config = bandwidth::parse(call);
    if (!config.prev_result)
        throw cni::Error("must be called as chained plugin");
    cni::Result result = *config.prev_result;
    if (!config.is_limited())
        return result;

    netlink::Rtnl host;
    const Link veth = host_interface(host, call, result);
    // The ifb comes first: when it tells that all is done already, nothing has been touched.
    std::optional<Link> ifb;
    if (config.egress.is_set())
        ifb = bandwidth::create_ifb(host, call, veth, undo);
    if (config.ingress.is_set())
        limit_ingress(host, veth, config, undo);
    if (ifb) {
        limit_egress(host, veth, *ifb, config, undo);
        result.interfaces.push_back({.name = ifb->name, .mac = ifb->mac.text()});
        endpoint::finish_at_commit(undo, std::move(host), ifb->name, call.owner());
    }
    return result;
}

// By name alone. The disciplines of the veth go with it.
void del(const cni::Invocation& call) {
    netlink::Rtnl host;
    if (const auto ifb = bandwidth::find_ifb(host, call))
        host.delete_link(ifb->index);
}

void check(const cni::Invocation& call) {
    const Config config = bandwidth::parse(call);
    if (!config.prev_result)
        throw cni::Error("must be called as a chained plugin");
    netlink::Rtnl host;
    const Link veth = host_interface(host, call, *config.prev_result);
    if (config.ingress.is_set())
        bandwidth::check_shape(host, veth, config.ingress, config.subnets, FarEnd::source);
    if (!config.egress.is_set())
        return;
    const auto ifb = bandwidth::find_ifb(host, call);
    if (!ifb)
        throw cni::Error("get ifb device: Link not found");
    if (!ifb->is_up())
        throw cni::Error(os::cat("ifb ", ifb->name, " is down, and with it what the container sends: ip link set ",
                                 ifb->name, " up"));
    bandwidth::check_shape(host, *ifb, config.egress, config.subnets, FarEnd::destination);
    if (!bandwidth::is_redirected(host, veth, *ifb))
        throw cni::Error(os::cat("traffic from ", veth.name, " is not led through ", ifb->name,
                                 ": its ingress filter is missing; a new ADD makes it"));
}

void gc(const cni::Invocation& call) {
    netlink::Rtnl host;
    endpoint::gc_links(host, "ifb", call);
}

void require(bool supported, std::string_view what, std::string_view option) {
    if (!supported)
        throw cni::Error(cni::Code::not_available, os::cat("the kernel has no ", what, ": it needs ", option));
}

void status(const cni::Invocation& call) {
    const Config config = bandwidth::parse(call);
    netlink::Rtnl host;
    require(host.supports_qdisc("tbf"), "token bucket filter", "CONFIG_NET_SCH_TBF");
    require(host.supports_kind("ifb"), "ifb links", "CONFIG_IFB");
    require(host.supports_qdisc("ingress"), "ingress qdisc", "CONFIG_NET_SCH_INGRESS");
    require(host.supports_action("mirred"), "redirection of packets", "CONFIG_NET_ACT_MIRRED");
    if (!config.subnets.empty())
        require(host.supports_qdisc("htb"), "hierarchical token bucket", "CONFIG_NET_SCH_HTB");
}

} // namespace

int main(int argc, char** argv) {
    return cni::run({.name = "bandwidth",
                     .add = add,
                     .del = del,
                     .check = check,
                     .gc = gc,
                     .status = status,
                     .versions = versions,
                     .licences = "Apache-2.0; contains libnl (LGPL-2.1), JSON for Modern C++ (MIT)"},
                    argc, argv);
}
