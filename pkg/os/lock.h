// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "os/deadline.h"
#include "os/fd.h"

namespace os {

/// Exclusive flock(2) on `name` in `dir`. When that is missing it is created (0750: host-local's layout), or without
/// `create` it is Error(ENOENT). Held until the Fd is closed. Waits in the kernel, not by polling; at the deadline
/// throws Error(ETIMEDOUT) naming pid and command of the holder as /proc/locks tells.
[[nodiscard]] Fd lock_file_at(const Fd& dir, const std::string& name, const Deadline& deadline, bool create = true);

} // namespace os
