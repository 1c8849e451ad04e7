// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace os {

/// One line on stderr, prefixed with the plugin's name: "bridge: warning: …". Control bytes are escaped.
void set_log_name(std::string_view name) noexcept; ///< `name` must stay valid
void warn(std::string_view line) noexcept;

} // namespace os
