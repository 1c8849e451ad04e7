// SPDX-License-Identifier: Apache-2.0
#include "netlink/request.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "os/deadline.h"
#include "os/netlink_message.h"
#include "os/text.h"

namespace netlink {

namespace {

constexpr int most_tries = 5;
constexpr std::size_t receive_buffer = std::size_t(32) * 1024; // what the kernel fills at most in one dump part
constexpr std::size_t most_bytes = 2048;                       // of a request: names, an alias, some addresses
constexpr time_t patience_seconds = 10;                        // for one message
// For all of an answer. Without it whoever sends to our socket all the time could keep us listening for ever.
constexpr std::chrono::seconds exchange_patience{30};

// The last message freed is the next one's memory: musl's allocator would return it to the kernel and ask again.
constinit nl_msg* spare = nullptr;

void enable(int fd, int option) {
    const int on = 1;
    (void)setsockopt(fd, SOL_NETLINK, option, &on, sizeof on); // an older kernel answers less well
}

// In a container's namespace the container's root may write to us as well: until our buffer is full, and the kernel's
// answer is lost. A socket that is connected to the kernel takes nothing from others (netlink_getsockbyportid); what
// came before is thrown away.
void listen_to_kernel_alone(int fd) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    (void)connect(fd, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    char any = 0;
    while (recv(fd, &any, sizeof any, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR) {
    }
}

// Only what the kernel itself sent (port 0).
std::size_t receive(nl_sock* socket, std::span<char> buffer, const Subject& subject, const os::Deadline& deadline) {
    while (!deadline.passed()) {
        sockaddr_nl sender{};
        socklen_t sender_size = sizeof sender;
        const ssize_t size = recvfrom(nl_socket_get_fd(socket), buffer.data(), buffer.size(), MSG_TRUNC,
                                      reinterpret_cast<sockaddr*>(&sender), &sender_size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            throw Unanswered(errno == EAGAIN ? ETIMEDOUT : errno, subject.operation, subject.object);
        if (sender_size != sizeof sender || sender.nl_pid != 0)
            continue;
        if (static_cast<std::size_t>(size) > buffer.size())
            throw Unanswered(EMSGSIZE, subject.operation, subject.object);
        return static_cast<std::size_t>(size);
    }
    throw Unanswered(ETIMEDOUT, subject.operation, subject.object);
}

std::string extended_ack(nlmsghdr* header, const nlmsgerr* error) {
    if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
        return {};
    std::size_t skip = sizeof *error;
    if ((header->nlmsg_flags & NLM_F_CAPPED) == 0 && error->msg.nlmsg_len > sizeof error->msg)
        skip += NLMSG_ALIGN(error->msg.nlmsg_len - sizeof error->msg);
    const std::size_t payload = header->nlmsg_len - NLMSG_HDRLEN;
    if (skip >= payload)
        return {};
    auto* first = reinterpret_cast<nlattr*>(static_cast<char*>(nlmsg_data(header)) + skip);
    const nlattr* text = nla_find(first, static_cast<int>(payload - skip), NLMSGERR_ATTR_MSG);
    return get_text(text);
}

struct Answer {
    bool done = false;
    bool interrupted = false;
    int err = 0;
    std::string extack;
};

// One message of an answer. Only NLMSG_ERROR and NLMSG_DONE end it.
void take(nlmsghdr* header, bool dump, const OnReply& on_reply, Answer& answer) {
    answer.interrupted = answer.interrupted || (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (header->nlmsg_type == NLMSG_ERROR) {
        answer.done = true;
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) {
            answer.err = EBADMSG;
            return;
        }
        const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(header));
        answer.err = os::errno_of(error->error);
        if (answer.err != 0)
            answer.extack = extended_ack(header, error);
    } else if (header->nlmsg_type == NLMSG_DONE) {
        answer.done = true;
        if (dump && header->nlmsg_len >= NLMSG_LENGTH(sizeof(int)))
            answer.err = os::errno_of(*static_cast<const int*>(nlmsg_data(header)));
    } else {
        if (on_reply)
            on_reply(header);
        answer.done = !dump; // one question, one answer: no acknowledgement follows
    }
}

Answer exchange(nl_sock* socket, Message& message, const Subject& subject, const OnReply& on_reply) {
    tell(socket, message, subject);
    const std::uint32_t sequence = nlmsg_hdr(message.get())->nlmsg_seq;
    const bool dump = (nlmsg_hdr(message.get())->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    std::array<char, receive_buffer> buffer; // not on the heap: some allocators ask the kernel for this much each time
    const os::Deadline deadline = os::Deadline::in(exchange_patience);
    Answer answer;
    while (!answer.done) {
        int left = static_cast<int>(receive(socket, buffer, subject, deadline));
        for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, left);
             header = nlmsg_next(header, &left)) {
            if (header->nlmsg_seq == sequence)
                take(header, dump, on_reply, answer);
        }
    }
    return answer;
}

} // namespace

std::string name_of(Index link) {
    return os::cat("link ", static_cast<int>(link));
}

Message::Message(int type, int flags, const void* header, std::size_t size) {
    message_.reset(spare != nullptr ? std::exchange(spare, nullptr) : nlmsg_alloc_size(most_bytes));
    if (!message_)
        throw std::bad_alloc();
    nlmsghdr* const start = nlmsg_hdr(message_.get());
    std::memset(start, 0, most_bytes);
    start->nlmsg_len = NLMSG_HDRLEN;
    start->nlmsg_type = static_cast<std::uint16_t>(type);
    start->nlmsg_flags = static_cast<std::uint16_t>(flags);
    append(header, size);
}

void Message::Free::operator()(nl_msg* message) const noexcept {
    nlmsg_free(std::exchange(spare, message));
}

void Message::append(const void* data, std::size_t size) {
    if (nlmsg_append(message_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO) != 0)
        throw std::bad_alloc();
}

void Message::put(int attribute, const void* data, std::size_t size) {
    if (nla_put(message_.get(), attribute, static_cast<int>(size), data) != 0)
        throw std::bad_alloc();
}

void Message::put_address(int attribute, const inet::Address& address) {
    put(attribute, address.bytes().data(), address.bytes().size());
}

Nest::Nest(Message& message, int attribute)
    : message_(message.get()), start_(nla_nest_start(message.get(), attribute)) {
    if (start_ == nullptr)
        throw std::bad_alloc();
}

nl_sock* open_socket() {
    nl_sock* socket = nl_socket_alloc();
    if (socket == nullptr)
        throw std::bad_alloc();
    if (nl_connect(socket, NETLINK_ROUTE) != 0) {
        const int err = errno;
        nl_socket_free(socket);
        throw Error(err, "open", "rtnetlink socket");
    }
    nl_socket_disable_auto_ack(socket);
    const int fd = nl_socket_get_fd(socket);
    listen_to_kernel_alone(fd);
    enable(fd, NETLINK_EXT_ACK);
    enable(fd, NETLINK_CAP_ACK);
    enable(fd, NETLINK_GET_STRICT_CHK);
    const timeval patience{.tv_sec = patience_seconds, .tv_usec = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return socket;
}

void tell(nl_sock* socket, Message& message, const Subject& subject) {
    nl_complete_msg(socket, message.get());
    const nlmsghdr* header = nlmsg_hdr(message.get());
    while (send(nl_socket_get_fd(socket), header, header->nlmsg_len, 0) < 0) {
        if (errno != EINTR)
            throw Error(errno, subject.operation, subject.object);
    }
}

bool request_unless(nl_sock* socket, Message& message, const Subject& subject, int expected, int also_expected) {
    nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_ACK;
    const Answer answer = exchange(socket, message, subject, {});
    if (answer.err == 0)
        return true;
    if (answer.err == expected || answer.err == also_expected)
        return false;
    throw Error(answer.err, subject.operation, subject.object, answer.extack);
}

void request(nl_sock* socket, Message& message, const Subject& subject) {
    (void)request_unless(socket, message, subject, 0);
}

void query(nl_sock* socket, Message& message, const Subject& subject, const OnReply& on_reply,
           const std::function<void()>& restart) {
    nlmsghdr* header = nlmsg_hdr(message.get());
    for (int tries = 1;; ++tries) {
        if (restart)
            restart();
        header->nlmsg_seq = NL_AUTO_SEQ;
        const Answer answer = exchange(socket, message, subject, on_reply);
        if (answer.err != 0)
            throw Error(answer.err, subject.operation, subject.object, answer.extack);
        if (!answer.interrupted || tries == most_tries)
            return;
    }
}

std::uint16_t get_u16(const nlattr* attribute) {
    std::uint16_t value = 0;
    if (attribute != nullptr && nla_len(attribute) >= static_cast<int>(sizeof value))
        std::memcpy(&value, nla_data(attribute), sizeof value);
    return value;
}

std::uint32_t get_u32(const nlattr* attribute) {
    std::uint32_t value = 0;
    if (attribute != nullptr && nla_len(attribute) >= static_cast<int>(sizeof value))
        std::memcpy(&value, nla_data(attribute), sizeof value);
    return value;
}

std::string get_text(const nlattr* attribute) {
    if (attribute == nullptr)
        return {};
    const auto* text = static_cast<const char*>(nla_data(attribute));
    return {text, strnlen(text, static_cast<std::size_t>(nla_len(attribute)))};
}

std::optional<inet::Address> get_address(const nlattr* attribute) {
    if (attribute == nullptr)
        return std::nullopt;
    return inet::Address::from_bytes(
        {static_cast<const std::uint8_t*>(nla_data(attribute)), static_cast<std::size_t>(nla_len(attribute))});
}

} // namespace netlink
