// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// What a runtime hands over beside the config. Within pkg/cni only.
namespace cni {

/// The CNI_* variables; for GC and STATUS those of an attachment are empty, whatever was set.
struct Environment {
    std::string command, container_id, netns, ifname, args, path;
    bool netns_override = false; ///< CNI_NETNS may be the host's own

    /// Throws Error(invalid_environment): the first invalid value of a required variable, else all missing ones.
    [[nodiscard]] static Environment read();
};

/// The rule for container IDs and network names: ^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$
[[nodiscard]] bool is_identifier(std::string_view text);
/// Throws Error(invalid_environment) with the reason.
void check_ifname(std::string_view name);

/// All of stdin, one byte more than the limit at most (Object::parse refuses that). Throws Error(io_failure).
[[nodiscard]] std::string read_stdin();

} // namespace cni
