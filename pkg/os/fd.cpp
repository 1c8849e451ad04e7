// SPDX-License-Identifier: Apache-2.0
#include "os/fd.h"

#include <cerrno>

#include <unistd.h>

namespace os {

void Fd::reset() noexcept {
    if (fd_ < 0)
        return;
    const int saved = errno; // destructors run between a failed call and the look at its errno
    ::close(std::exchange(fd_, -1));
    errno = saved;
}

} // namespace os
