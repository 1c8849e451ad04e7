// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "netlink/rtnl.h"

// Whether a container that has a port is still there. A runtime that died, or whose plugins were others when it sent
// DEL, leaves ports that nobody would ever give back.
namespace portmap {

/// How to find the network namespace again, for the comment of the attachment's record: the namespace, and the mount
/// namespace and root from which the path leads to it; behind it the index of the host's end of its veth pair, when
/// there is one. Empty when no later process could tell by the path.
[[nodiscard]] std::string home_at(const std::string& netns_path, std::optional<netlink::Index> host_end);

/// True only for certain: the veth pair is gone, or going, as it does with the namespace, and the path does not lead
/// there still. It may seem to when the number was given again: then to the namespace of the `newcomer`, the path of
/// who asks. Without a veth pair: seen from the same mount namespace and root the path leads to another namespace or
/// nowhere, and no process lives in that one. `home` is what home_at() said.
[[nodiscard]] bool is_deserted(std::string_view home, const std::string& newcomer);

} // namespace portmap
