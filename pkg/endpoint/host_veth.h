// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cni/invocation.h"
#include "netlink/rtnl.h"
#include "netns/netns.h"
#include "os/undo.h"

// The veth pair of an attachment. Its host end is the one object that tells, after a kill at any instruction,
// how far an ADD had come:
//   name  "veth" + 8 hex digits of sha512(owner): DEL and the next ADD find it without any record
//   alias "cnative:<owner>;pending" while it is being built, "cnative:<owner>" once the runtime has the result
//   group birth_group(network) until it has an alias, which the kernel ignores at creation: a link of that name without
//         one is half-made too
namespace endpoint {

/// The name for `owner`; `attempt` counts up when a foreign link has the name before.
[[nodiscard]] std::string host_veth_name(std::string_view owner, unsigned attempt = 0);
/// Hands these names to `action`, one after the other, until it returns true; false: it never did.
[[nodiscard]] bool try_host_veth_names(std::string_view owner, const std::function<bool(const std::string&)>& action);
[[nodiscard]] std::string alias_of(std::string_view owner);
[[nodiscard]] std::string pending_alias_of(std::string_view owner);
/// Of a link that has just been made for this network: by it GC knows one whose ADD was killed before the alias.
[[nodiscard]] unsigned birth_group(std::string_view network);
/// The owner in one of our aliases; nothing for other texts.
[[nodiscard]] std::optional<std::string> owner_in_alias(std::string_view alias);

struct VethOptions {
    int master = 0;
    unsigned mtu = 0;
    std::optional<inet::Mac> container_mac;
};

struct Veth {
    std::string host_name;
    bool rebuilt = false; ///< a half-made pair was found: other remains of the killed ADD may be about
};

/// Creates both ends, down, the container's in the sandbox, and pushes their removal. A half-made pair of the
/// same owner is removed first. A finished one, or any link called CNI_IFNAME in the sandbox, is refused in the
/// Go suite's words. netlink::Error with EXFULL when the bridge takes no more ports.
[[nodiscard]] Veth create_veth(netlink::Rtnl& host, const netns::Netns& sandbox, const cni::Invocation& call,
                               const VethOptions& options, os::Undo& undo);

/// Pushes the removal of the pair, as create_veth() does; absent is fine. Again behind what must not be undone before
/// the pair is gone.
void undo_veth(os::Undo& undo, const std::string& host_name);

/// The link's alias is finished at the very end of the call, over this socket: a kill before meets a half-made
/// endpoint.
void finish_at_commit(os::Undo& undo, netlink::Rtnl host, const std::string& host_name, std::string_view owner);

/// Our host end of this attachment, finished or not.
[[nodiscard]] std::optional<netlink::Link> find_host_veth(netlink::Rtnl& host, std::string_view owner);
/// Whether a container's link is the other end of another attachment's veth pair: what DEL is told of may be the path
/// of somebody else's namespace by now.
[[nodiscard]] bool is_of_other(netlink::Rtnl& host, const netlink::Link& container_end, std::string_view owner);
/// GC: removes every link of the kind that is of this network and of no attachment that is valid.
void gc_links(netlink::Rtnl& host, std::string_view kind, const cni::Invocation& call);

} // namespace endpoint
