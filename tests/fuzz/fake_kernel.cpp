// SPDX-License-Identifier: Apache-2.0
// In the kernel's place: what the suite sends and receives by netlink comes here (the linker's --wrap), and is answered
// from the input. No request leaves the process.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/netlink.h>
#include <sys/socket.h>

#include "fuzz.h"

struct mnl_socket;

namespace {

fuzz::Bytes left;
std::uint32_t first_sequence = 0, sequences = 1;

// A batch has several messages, each with the next sequence number.
void note_request(const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    std::uint32_t count = 0;
    for (nlmsghdr header{}; size >= sizeof header; ++count) {
        std::memcpy(&header, at, sizeof header);
        if (count == 0)
            first_sequence = header.nlmsg_seq;
        if (header.nlmsg_len < sizeof header || header.nlmsg_len >= size)
            break;
        const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), size);
        at += step;
        size -= step;
    }
    sequences = count + 1;
}

void fit_sequences(char* at, std::size_t size) {
    for (nlmsghdr header{}; size >= sizeof header;) {
        std::memcpy(&header, at, sizeof header);
        header.nlmsg_seq = first_sequence + header.nlmsg_seq % sequences;
        std::memcpy(at, &header, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len >= size)
            return;
        const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), size);
        at += step;
        size -= step;
    }
}

ssize_t answer(void* buffer, std::size_t room) {
    if (left.size() < 3) {
        errno = EAGAIN;
        return -1;
    }
    const std::size_t wanted = left[0] | std::size_t{left[1]} << 8;
    const std::size_t size = std::min(wanted, left.size() - 2);
    std::memcpy(buffer, left.data() + 2, std::min(size, room));
    fit_sequences(static_cast<char*>(buffer), std::min(size, room));
    left = left.subspan(2 + size);
    return static_cast<ssize_t>(size);
}

} // namespace

void fuzz::kernel_says(Bytes answers) {
    left = answers;
}

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
ssize_t __wrap_send(int /*fd*/, const void* data, size_t size, int /*flags*/) {
    note_request(data, size);
    return static_cast<ssize_t>(size);
}

ssize_t __wrap_recvfrom(int /*fd*/, void* buffer, size_t room, int /*flags*/, sockaddr* sender, socklen_t* size) {
    const sockaddr_nl kernel{.nl_family = AF_NETLINK};
    std::memcpy(sender, &kernel, sizeof kernel);
    *size = sizeof kernel;
    return answer(buffer, room);
}

ssize_t __wrap_mnl_socket_sendto(const mnl_socket* /*socket*/, const void* data, size_t size) {
    note_request(data, size);
    return static_cast<ssize_t>(size);
}

ssize_t __wrap_mnl_socket_recvfrom(const mnl_socket* /*socket*/, void* buffer, size_t room) {
    const ssize_t size = answer(buffer, room);
    if (size > static_cast<ssize_t>(room)) {
        errno = ENOSPC;
        return -1;
    }
    return size;
}
// NOLINTEND(bugprone-reserved-identifier)

} // extern "C"
