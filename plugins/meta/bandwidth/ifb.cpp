// SPDX-License-Identifier: Apache-2.0
#include "ifb.h"

#include "cni/error.h"
#include "endpoint/host_veth.h"
#include "os/log.h"
#include "os/sha512.h"
#include "os/text.h"
#include "shaper.h"

namespace bandwidth {

namespace {

constexpr std::size_t longest_name = 15;

std::string name_for(std::string_view text) {
    return os::cat("bwp", os::sha512_hex(text)).substr(0, longest_name);
}

bool has_owner(const netlink::Link& link, std::string_view owner) {
    return link.kind == "ifb" && endpoint::owner_in_alias(link.alias) == owner;
}

/// Without an alias it is the Go suite's, or ours from an ADD that was killed right after making it. The Go suite gives
/// it a discipline next. A finished one through which the veth does not lead was another veth's, which has gone.
bool is_left_over(netlink::Rtnl& host, const netlink::Link& link, std::string_view owner, const netlink::Link& veth) {
    if (link.alias.empty())
        return link.kind == "ifb" && !host.find_qdisc(link.index, netlink::way_out);
    return has_owner(link, owner) && (link.alias != endpoint::alias_of(owner) || !is_redirected(host, veth, link));
}

/// False: the name is taken. Without an answer, what may have been made goes; what was in the way stays.
bool create(netlink::Rtnl& host, const cni::Invocation& call, const std::string& name, const netlink::Link& veth) {
    try {
        return host.create_ifb(name, veth.mtu, endpoint::birth_group(call.network));
    } catch (const netlink::Unanswered&) {
        netlink::Rtnl fresh; // the socket that failed may have more in store
        const auto link = fresh.find_link(name);
        if (link && is_left_over(fresh, *link, call.owner(), veth))
            fresh.delete_link(link->index);
        throw;
    }
}

/// One try under one name; nothing when the name is taken by something that is not left over.
std::optional<netlink::Link> try_create(netlink::Rtnl& host, const cni::Invocation& call, const std::string& name,
                                        const netlink::Link& veth, os::Undo& undo) {
    const std::string owner = call.owner();
    if (!create(host, call, name, veth)) {
        const auto existing = host.find_link(name);
        if (existing && !is_left_over(host, *existing, owner, veth))
            return std::nullopt;
        if (existing)
            host.delete_link(existing->index);
        if (!create(host, call, name, veth))
            return std::nullopt;
    }
    undo.push(os::cat("ifb ", name), [name] { netlink::Rtnl().delete_link(name); });
    host.set_alias(name, endpoint::pending_alias_of(owner));
    return host.find_link(name);
}

} // namespace

std::vector<std::string> ifb_names(const cni::Invocation& call) {
    const std::string text = call.network + call.container_id;
    return {name_for(text), name_for(os::cat(text, "/", call.ifname))};
}

netlink::Link create_ifb(netlink::Rtnl& host, const cni::Invocation& call, const netlink::Link& veth, os::Undo& undo) {
    const std::string owner = call.owner();
    try {
        for (const std::string& name : ifb_names(call)) {
            if (const auto link = try_create(host, call, name, veth, undo))
                return *link;
            const auto existing = host.find_link(name);
            // The Go suite's has no alias, but the container's traffic is led through it: the same attachment's.
            if (existing && (has_owner(*existing, owner) || is_redirected(host, veth, *existing)))
                break;
        }
    } catch (const netlink::Error& error) {
        throw cni::Error(os::cat("adding link: ", os::errno_alone(error)));
    }
    throw cni::Error("adding link: file exists");
}

std::optional<netlink::Link> find_ifb(netlink::Rtnl& host, const cni::Invocation& call) {
    const std::string owner = call.owner();
    std::optional<netlink::Link> nobodys;
    for (const std::string& name : ifb_names(call)) {
        auto link = host.find_link(name);
        if (link && has_owner(*link, owner))
            return link;
        if (link && link->kind == "ifb" && link->alias.empty() && !nobodys)
            nobodys = std::move(link);
    }
    return nobodys;
}

} // namespace bandwidth
