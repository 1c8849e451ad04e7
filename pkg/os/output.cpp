// SPDX-License-Identifier: Apache-2.0
#include "os/output.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <poll.h>
#include <unistd.h>

namespace os {

bool write_all(int fd, std::string_view text, const Deadline& deadline) noexcept {
    while (!text.empty()) {
        // A pipe that is ready takes as much at least without blocking.
        constexpr std::size_t most = PIPE_BUF;
        pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
        const int ready = poll(&writable, 1, deadline.poll_timeout());
        if (ready == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (ready < 0 && errno == EINTR && !deadline.passed())
            continue;
        const ssize_t written = ::write(fd, text.data(), std::min(text.size(), most));
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if ((errno != EINTR && errno != EAGAIN) || deadline.passed())
            return false;
    }
    return true;
}

} // namespace os
