// SPDX-License-Identifier: Apache-2.0
#include "nftables/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <span>
#include <utility>
#include <vector>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "nftables/ruleset.h"
#include "nftables/transaction.h"
#include "os/close_later.h"
#include "os/netlink_attribute.h"
#include "os/netlink_message.h"

namespace nft {

namespace {

constexpr int most_tries = 20;
constexpr std::size_t receive_buffer = std::size_t(64) * 1024;
constexpr std::size_t large_batch = std::size_t(64) * 1024; // a socket's buffers have 208 KiB as a rule
constexpr time_t patience_seconds = 10;                     // for one message
constexpr std::chrono::seconds exchange_patience{30};
constexpr std::uint16_t generation_request = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;

struct Progress {
    bool done = false;
    bool interrupted = false;
    int err = 0;
};

int error_of(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(int))
        return EBADMSG;
    return os::errno_of(*static_cast<const int*>(mnl_nlmsg_get_payload(message)));
}

void take(const nlmsghdr* message, bool many, const Socket::OnReply& on_reply, Progress& progress) {
    progress.interrupted = progress.interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
        progress.err = error_of(message); // of a dump that broke off half-way too
        progress.done = true;
    } else {
        on_reply(message);
        progress.done = !many;
    }
}

} // namespace

void Socket::Closer::operator()(mnl_socket* socket) const noexcept {
    const os::CloseLater second_owner(mnl_socket_get_fd(socket));
    (void)mnl_socket_close(socket);
}

Socket::Socket() = default;
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;

mnl_socket* Socket::open() {
    if (socket_)
        return socket_.get();
    socket_.reset(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
    if (!socket_ || mnl_socket_bind(socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0)
        throw Error(errno, "open", "nfnetlink socket");
    const int fd = mnl_socket_get_fd(socket_.get());
    const timeval patience{.tv_sec = patience_seconds, .tv_usec = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return socket_.get();
}

void Socket::send(const void* data, std::size_t size, std::string_view what) {
    mnl_socket* socket = open();
    while (mnl_socket_sendto(socket, data, size) < 0) {
        if (errno != EINTR)
            throw Error(errno, what, "");
    }
}

std::size_t Socket::receive(std::span<char> buffer, std::string_view what, const os::Deadline& deadline) {
    while (!deadline.passed()) {
        const ssize_t size = mnl_socket_recvfrom(open(), buffer.data(), buffer.size());
        if (size >= 0)
            return static_cast<std::size_t>(size);
        if (errno != EINTR)
            throw Error(errno == EAGAIN ? ETIMEDOUT : errno, what, "");
    }
    throw Error(ETIMEDOUT, what, "");
}

bool Socket::query(nlmsghdr* request, std::string_view what, const OnReply& on_reply,
                   const std::function<void()>& restart) {
    // Either has an end of its own: a dump its NLMSG_DONE, several keys their acknowledgement.
    const bool many = (request->nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK)) != 0;
    std::array<char, receive_buffer> buffer;
    for (int tries = 1;; ++tries) {
        if (restart)
            restart();
        request->nlmsg_seq = next_sequence();
        send(request, request->nlmsg_len, what);
        const os::Deadline deadline = os::Deadline::in(exchange_patience);
        Progress progress;
        while (!progress.done) {
            int left = static_cast<int>(receive(buffer, what, deadline));
            for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
                 os::is_whole(message, left) && !progress.done; message = mnl_nlmsg_next(message, &left)) {
                if (message->nlmsg_seq == request->nlmsg_seq)
                    take(message, many, on_reply, progress);
            }
        }
        const bool again = progress.interrupted || progress.err == EINTR || progress.err == EAGAIN;
        if (again && tries < most_tries)
            continue;
        if (progress.err == ENOENT)
            return false;
        if (progress.err == EINVAL && !reaches_nf_tables(request))
            throw Error(EOPNOTSUPP, what, "");
        if (progress.err != 0 || progress.interrupted)
            throw Error(progress.err != 0 ? progress.err : EINTR, what, "");
        return true;
    }
}

// A batch goes out whole, and each message of it that is refused is answered: thousands of elements, which may all be
// taken, need larger buffers. Where that is not allowed (another user namespace), as large as the system lets them be.
void Socket::make_room(std::size_t batch) {
    mnl_socket* socket = open();
    const int fd = mnl_socket_get_fd(socket), size = static_cast<int>(std::min<std::size_t>(batch, INT_MAX / 2));
    for (const auto& [forced, asked] : {std::pair(SO_SNDBUFFORCE, SO_SNDBUF), std::pair(SO_RCVBUFFORCE, SO_RCVBUF)}) {
        if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0)
            (void)setsockopt(fd, SOL_SOCKET, asked, &size, sizeof size);
    }
    int without_the_refused = 1;
    (void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &without_the_refused, sizeof without_the_refused);
}

std::vector<Socket::Refusal> Socket::send_batch(std::span<const char> batch, std::uint32_t first, std::uint32_t last) {
    constexpr std::string_view what = "commit to nf_tables";
    if (batch.size() > large_batch)
        make_room(batch.size());
    send(batch.data(), batch.size(), what);
    std::array<char, receive_buffer> buffer;
    const os::Deadline deadline = os::Deadline::in(exchange_patience);
    std::vector<Refusal> refusals;
    for (;;) {
        int left = static_cast<int>(receive(buffer, what, deadline));
        for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data()); os::is_whole(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_seq < first || message->nlmsg_seq > last)
                continue;
            const int err = error_of(message);
            if (err != 0)
                refusals.push_back({.err = err, .sequence = message->nlmsg_seq});
            // The batch's first message is answered when the kernel takes none of it (generation, permission).
            if (message->nlmsg_seq == last || message->nlmsg_seq == first)
                return refusals;
        }
    }
}

// Of a subsystem that the kernel does not have nfnetlink says EINVAL, as of an odd request. The generation's is not
// odd.
bool Socket::reaches_nf_tables(const nlmsghdr* refused) {
    if (refused->nlmsg_type == generation_request)
        return false;
    try {
        (void)generation();
    } catch (const Error& error) {
        return error.err() != EOPNOTSUPP;
    }
    return true;
}

std::uint32_t Socket::generation() {
    char buffer[256];
    nlmsghdr* request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = generation_request;
    request->nlmsg_flags = NLM_F_REQUEST;
    auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
    header->nfgen_family = AF_UNSPEC;
    header->version = NFNETLINK_V0;
    std::uint32_t id = 0;
    (void)query(request, "read the nf_tables generation", [&](const nlmsghdr* reply) {
        const auto attributes = os::attributes_of(reply, sizeof(nfgenmsg));
        id = os::number_in<std::uint32_t>(os::attribute_in(attributes, NFTA_GEN_ID)).value_or(id);
    });
    return id;
}

bool is_unsupported(int err) {
    return err == EPROTONOSUPPORT || err == EOPNOTSUPP || err == EAFNOSUPPORT;
}

std::string missing_support() {
    try {
        Socket socket;
        if (socket.generation() == 0)
            return "the kernel has no nftables: it needs CONFIG_NF_TABLES";
    } catch (const Error& error) {
        if (error.err() == EPERM)
            return {}; // not for us to say
        return "the kernel has no nftables: it needs CONFIG_NF_TABLES and CONFIG_NETFILTER_NETLINK";
    }
    return probe_rules();
}

} // namespace nft
