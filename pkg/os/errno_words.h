// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace os {

/// What glibc calls an error, and so what the Go suite's users read: musl has words of its own for a third of them.
/// Null for a number nobody knows. Used where libc is not glibc.
[[nodiscard]] const char* errno_words(int err) noexcept;

} // namespace os
