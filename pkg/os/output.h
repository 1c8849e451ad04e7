// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "os/deadline.h"

namespace os {

/// Writes all of it to a descriptor that somebody else reads: a runtime that does not read must not hold us for ever.
/// Never blocks past the deadline. False when it could not be written whole; errno says why.
[[nodiscard]] bool write_all(int fd, std::string_view text, const Deadline& deadline) noexcept;

/// How long a reader is waited for: of the result, which is what we are for, and of the words beside it.
inline constexpr std::chrono::seconds stdout_patience{30}, stderr_patience{2};

} // namespace os
