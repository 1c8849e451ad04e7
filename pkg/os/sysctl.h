// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace os {

// Values below /proc/sys/net, which follow the network namespace of the calling thread. `key` is a path with
// slashes ("ipv6/conf/eth0.100/accept_ra"); a component "..", "." or an empty one is EINVAL.

/// Trimmed content; nothing when the key does not exist.
[[nodiscard]] std::optional<std::string> read_net_sysctl(const std::string& key);
/// Writes unless the value already is `value` (so a read-only /proc does no harm then). Throws os::Error.
/// Returns true when it wrote.
bool set_net_sysctl(const std::string& key, std::string_view value);
/// The same without reading first: for values that are commands to the kernel, and keys that cannot be read.
void write_net_sysctl(const std::string& key, std::string_view value);
/// The same without caring: for what is best effort (a kernel without IPv6). Whether it was written.
bool try_net_sysctl(const std::string& key, std::string_view value) noexcept;
[[nodiscard]] bool net_sysctl_exists(const std::string& key);
/// Its path, for messages.
[[nodiscard]] std::string net_sysctl_path(const std::string& key);

} // namespace os
