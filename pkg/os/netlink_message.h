// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

#include <linux/netlink.h>

namespace os {

/// Whether a whole netlink message begins here, of which `left` bytes were received. libmnl's mnl_nlmsg_ok takes a
/// length from 2^31 on for a negative one, which fits anywhere.
[[nodiscard]] inline bool is_whole(const nlmsghdr* message, int left) noexcept {
    return left >= static_cast<int>(sizeof *message) && message->nlmsg_len >= sizeof *message &&
           message->nlmsg_len <= static_cast<unsigned>(left);
}

/// The errno in an answer, which the kernel sends negated; what no errno can be is EBADMSG.
[[nodiscard]] inline int errno_of(int sent) noexcept {
    constexpr int most = 4095; // as the kernel's IS_ERR_VALUE has it
    return sent > 0 || sent < -most ? EBADMSG : -sent;
}

} // namespace os
