// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// Whether a container that has a port is still there. A runtime that died, or whose plugins were others when it sent
// DEL, leaves ports that nobody would ever give back.
namespace portmap {

/// How to find the network namespace again, for the comment of the attachment's record: the namespace, and the mount
/// namespace and root from which the path leads to it. Empty when no later process could tell by the path.
[[nodiscard]] std::string home_at(const std::string& netns_path);

/// True only for certain: seen from the same mount namespace and root the path leads to another namespace or nowhere,
/// and no process lives in that one. `home` is what home_at() said.
[[nodiscard]] bool is_deserted(std::string_view home);

} // namespace portmap
