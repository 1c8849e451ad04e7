// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "os/error.h"

namespace os {

/// One line on stderr, prefixed with the plugin's name: "bridge: warning: …". Control bytes are escaped.
void set_log_name(std::string_view name) noexcept; ///< `name` must stay valid
void warn(std::string_view line) noexcept;
/// The errno's text alone, for messages in the words of the Go suite; what else the kernel said goes to stderr.
[[nodiscard]] std::string errno_alone(const Error& error);

} // namespace os
