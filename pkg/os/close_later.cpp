// SPDX-License-Identifier: Apache-2.0
#include "os/close_later.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace os {

CloseLater::CloseLater(int fd) noexcept {
    const int saved = errno;
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()) == 0) {
        sender_ = Fd(pair[0]);
        holder_ = Fd(pair[1]);
        const std::array<int, 2> sent{fd, holder_.get()};
        char byte = 0;
        iovec content{.iov_base = &byte, .iov_len = 1};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof sent)> control{};
        msghdr message{};
        message.msg_iov = &content;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof sent);
        std::memcpy(CMSG_DATA(rights), sent.data(), sizeof sent);
        (void)::sendmsg(sender_.get(), &message, MSG_NOSIGNAL);
    }
    errno = saved;
}

} // namespace os
