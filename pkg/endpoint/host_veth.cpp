// SPDX-License-Identifier: Apache-2.0
#include "endpoint/host_veth.h"

#include <cerrno>
#include <memory>
#include <utility>

#include "cni/error.h"
#include "os/sha512.h"
#include "os/text.h"

namespace endpoint {

namespace {

constexpr std::string_view alias_prefix = "cnative:";
constexpr std::string_view pending_suffix = ";pending";
// With 32 bits of hash, four names in a row held by others do not happen.
constexpr unsigned attempts = 4;

bool is_ours(const netlink::Link& link, std::string_view owner) {
    return link.kind == "veth" && (link.alias.empty() || owner_in_alias(link.alias) == owner);
}

bool is_finished(const netlink::Link& link, std::string_view owner) {
    return link.alias == alias_of(owner);
}

[[noreturn]] void refuse_existing(const cni::Invocation& call, const std::string& host_name) {
    throw cni::Error(os::cat("container veth name (", os::quote(call.ifname), ") peer provided (", os::quote(host_name),
                             ") already exists"));
}

// After a creation without an answer. One that is finished is not what was asked for: it was in the way.
void remove_unless_finished(const std::string& name, std::string_view owner) {
    netlink::Rtnl host; // the socket that failed may have more in store
    const auto link = host.find_link(name);
    if (link && is_ours(*link, owner) && !is_finished(*link, owner))
        host.delete_link(link->index);
}

// One try under one name; nothing when the name belongs to somebody else.
std::optional<Veth> try_create(netlink::Rtnl& host, const netns::Netns& sandbox, const cni::Invocation& call,
                               const netlink::VethSpec& spec) {
    const std::string owner = call.owner();
    for (bool cleared = false;; cleared = true) {
        try {
            host.create_veth(spec, sandbox);
            return Veth{.host_name = spec.host_name, .rebuilt = cleared};
        } catch (const netlink::Unanswered& error) {
            remove_unless_finished(spec.host_name, owner);
            throw cni::Error(os::cat("failed to make veth pair: ", os::errno_text(error.err())));
        } catch (const netlink::Error& error) {
            if (error.err() == EXFULL)
                throw;
            if (error.err() != EEXIST)
                throw cni::Error(os::cat("failed to make veth pair: ", os::errno_text(error.err())));
        }
        const auto existing = host.find_link(spec.host_name);
        if (existing && !is_ours(*existing, owner))
            return std::nullopt;
        if (!existing || is_finished(*existing, owner) || cleared)
            refuse_existing(call, spec.host_name);
        host.delete_link(existing->index);
    }
}

} // namespace

std::string host_veth_name(std::string_view owner, unsigned attempt) {
    const std::string text = attempt == 0 ? std::string(owner) : os::cat(owner, '#', attempt);
    return os::cat("veth", os::sha512_hex(text).substr(0, 8));
}

bool try_host_veth_names(std::string_view owner, const std::function<bool(const std::string&)>& action) {
    for (unsigned attempt = 0; attempt < attempts; ++attempt) {
        if (action(host_veth_name(owner, attempt)))
            return true;
    }
    return false;
}

std::string alias_of(std::string_view owner) {
    return os::cat(alias_prefix, owner);
}

std::string pending_alias_of(std::string_view owner) {
    return os::cat(alias_prefix, owner, pending_suffix);
}

unsigned birth_group(std::string_view network) {
    return static_cast<unsigned>(os::sha512_start(network) >> 32);
}

std::optional<std::string> owner_in_alias(std::string_view alias) {
    if (!alias.starts_with(alias_prefix))
        return std::nullopt;
    alias.remove_prefix(alias_prefix.size());
    if (alias.ends_with(pending_suffix))
        alias.remove_suffix(pending_suffix.size());
    return std::string(alias);
}

Veth create_veth(netlink::Rtnl& host, const netns::Netns& sandbox, const cni::Invocation& call,
                 const VethOptions& options, os::Undo& undo) {
    std::optional<Veth> veth;
    const auto create = [&](const std::string& name) {
        veth = try_create(host, sandbox, call,
                          {.host_name = name,
                           .container_name = call.ifname,
                           .master = options.master,
                           .mtu = options.mtu,
                           .group = birth_group(call.network),
                           .container_mac = options.container_mac});
        return veth.has_value();
    };
    if (!try_host_veth_names(call.owner(), create))
        throw cni::Error("failed to find a unique veth name");
    undo_veth(undo, veth->host_name);
    return *veth;
}

void undo_veth(os::Undo& undo, const std::string& host_name) {
    undo.push(os::cat("veth ", host_name), [host_name] { netlink::Rtnl().delete_link(host_name); });
}

void finish_at_commit(os::Undo& undo, netlink::Rtnl host, const std::string& host_name, std::string_view owner) {
    undo.on_commit([host = std::make_shared<netlink::Rtnl>(std::move(host)), host_name, alias = alias_of(owner)] {
        host->send_alias(host_name, alias);
    });
}

std::optional<netlink::Link> find_host_veth(netlink::Rtnl& host, std::string_view owner) {
    std::optional<netlink::Link> link;
    const auto find = [&](const std::string& name) {
        link = host.find_link(name);
        return link && is_ours(*link, owner);
    };
    return try_host_veth_names(owner, find) ? link : std::nullopt;
}

bool is_of_other(netlink::Rtnl& host, const netlink::Link& container_end, std::string_view owner) {
    // Both are to point out of their namespaces: a container may give its own links any index.
    if (container_end.kind != "veth" || container_end.peer == 0 || !container_end.peer_elsewhere)
        return false;
    const auto host_end = host.find_link(netlink::Index{container_end.peer});
    if (!host_end || host_end->kind != "veth" || !host_end->peer_elsewhere ||
        netlink::Index{host_end->peer} != container_end.index)
        return false;
    const auto found = owner_in_alias(host_end->alias);
    return found && *found != owner;
}

void gc_links(netlink::Rtnl& host, std::string_view kind, const cni::Invocation& call) {
    const auto is_stale = call.stale_owners();
    const auto is_left_over = [&, group = birth_group(call.network)](const netlink::Link& link) {
        if (link.alias.empty())
            return link.group == group; // killed at birth: no ADD of this network runs beside a GC
        const auto owner = owner_in_alias(link.alias);
        // An interface's name may end as the alias of a half-made link does: it must be stale whichever it is.
        return owner && is_stale(*owner) && is_stale(link.alias.substr(alias_prefix.size()));
    };
    cni::Errors errors;
    for (const netlink::Link& link : host.links()) {
        if (link.kind == kind && is_left_over(link))
            errors.collect([&] { host.delete_link(link.index); });
    }
    errors.throw_if_any();
}

} // namespace endpoint
