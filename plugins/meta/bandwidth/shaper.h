// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "config.h"
#include "netlink/rtnl.h"

// Limits on what leaves a link of the host: the container's veth for what goes to it, an ifb for what comes from it.
namespace bandwidth {

/// The Go suite's arithmetic, wrapping where it does.
[[nodiscard]] netlink::TokenBucket token_bucket(const Limit& limit);

/// On which side of a packet the far end's address is.
enum class FarEnd { source, destination };
/// Filters that send subnets to one of the two classes of a link with htb.
[[nodiscard]] std::vector<netlink::Filter> subnet_filters(const Subnets& subnets, FarEnd far_end);

/// A token bucket, or with subnets two classes of htb. Replaces what an ADD that was killed left; another's discipline
/// in its place is refused: create qdisc: file exists
void shape(netlink::Rtnl& host, const netlink::Link& link, const Limit& limit, const Subnets& subnets, FarEnd far_end);
/// Error in the Go suite's words when the link is not shaped so: Rate doesn't match
void check_shape(netlink::Rtnl& host, const netlink::Link& link, const Limit& limit, const Subnets& subnets,
                 FarEnd far_end);

/// Leads everything that comes in by `link` through `target`.
void redirect(netlink::Rtnl& host, const netlink::Link& link, const netlink::Link& target);
[[nodiscard]] bool is_redirected(netlink::Rtnl& host, const netlink::Link& link, const netlink::Link& target);

/// Undo of shape() and of redirect(), by name; absent is fine, and what is another's stays.
void unshape(const std::string& link);
void stop_redirecting(const std::string& link);

} // namespace bandwidth
