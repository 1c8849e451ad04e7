// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "os/deadline.h"

namespace os {

/// Writes all of it to a descriptor that somebody else reads: a runtime that does not read must not hold us for ever.
/// Never blocks past the deadline. False when it could not be written whole; errno says why.
[[nodiscard]] bool write_all(int fd, std::string_view text, const Deadline& deadline) noexcept;

/// How long the reader of stdout or stderr is waited for.
inline constexpr std::chrono::seconds reader_patience{30};

} // namespace os
