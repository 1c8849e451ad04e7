// SPDX-License-Identifier: Apache-2.0
#include "dbus/bus.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/signals.h"
#include "os/text.h"

namespace dbus {

namespace {

constexpr std::string_view object = "the message bus";

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A full backlog makes connect() wait; it knows no other deadline than this one.
void limit_waiting(const os::Fd& socket, const os::Deadline& deadline) {
    const auto left = std::max<std::int64_t>(deadline.left().count(), 1);
    const timeval span{.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    (void)setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &span, sizeof span);
}

/// Nothing when the name is too long for a socket.
std::optional<std::pair<sockaddr_un, socklen_t>> socket_address(const Address& address) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    const std::size_t skip = address.abstract ? 1 : 0;
    if (address.path.size() + 1 > sizeof out.sun_path)
        return std::nullopt;
    std::memcpy(out.sun_path + skip, address.path.data(), address.path.size());
    return std::pair(out, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.path.size() + 1));
}

} // namespace

std::optional<Bus> Bus::connect(const Address& address, const os::Deadline& deadline) {
    const auto where = socket_address(address);
    if (!where)
        throw Error(ENAMETOOLONG, "connect to", object, address.path);
    os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket)
        throw Error(errno, "connect to", object);
    limit_waiting(socket, deadline);
    while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where->first), where->second) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
            return std::nullopt;
        if (errno != EINTR)
            throw Error(errno == EAGAIN ? ETIMEDOUT : errno, "connect to", object, address.path);
    }
    Bus bus(std::move(socket));
    bus.authenticate(deadline);
    const Reply hello = bus.call({.destination = "org.freedesktop.DBus",
                                  .path = "/org/freedesktop/DBus",
                                  .interface = "org.freedesktop.DBus",
                                  .member = "Hello",
                                  .arguments = {}},
                                 deadline);
    if (!hello.error.empty())
        throw Error(EACCES, "say hello to", object, hello.text.value_or(hello.error));
    return bus;
}

// Who we are the kernel tells the bus; we have to say so. The answer is one line.
void Bus::authenticate(const os::Deadline& deadline) {
    using namespace std::string_view_literals;
    constexpr std::size_t longest_line = 512;
    const std::string uid = os::cat(geteuid());
    send(os::cat("\0AUTH EXTERNAL "sv, os::hex(bytes_of(uid)), "\r\n"), deadline);
    std::string line;
    while (!line.ends_with("\r\n")) {
        std::uint8_t byte = 0;
        receive({&byte, 1}, deadline); // one by one: messages follow
        line += static_cast<char>(byte);
        if (line.size() > longest_line)
            throw Error(EPROTO, "authenticate to", object, "an answer without end");
    }
    if (!line.starts_with("OK "))
        throw Error(EACCES, "authenticate to", object, os::quote(os::trim(line)));
    send("BEGIN\r\n", deadline);
}

Reply Bus::call(const Call& call, const os::Deadline& deadline) {
    const std::uint32_t serial = ++serial_;
    send(encode(call, serial), deadline);
    for (;;) {
        std::vector<std::uint8_t> message(header_start);
        receive(message, deadline);
        const auto size = size_of(message);
        if (!size)
            throw Error(EPROTO, "read from", object);
        message.resize(*size);
        receive(std::span(message).subspan(header_start), deadline);
        if (auto reply = decode(message); reply && reply->serial == serial)
            return std::move(*reply);
    }
}

void Bus::wait_for(short event, const os::Deadline& deadline) {
    constexpr std::int64_t slice = 100; // ms: how soon a signal to us is noticed
    for (;;) {
        os::poll_signals();
        if (deadline.passed()) // before the look: a bus may have something to say all the time, and never the answer
            throw Error(ETIMEDOUT, "wait for", object);
        pollfd waiting{.fd = socket_.get(), .events = event, .revents = 0};
        const auto left = std::min<std::int64_t>(deadline.left().count(), slice);
        if (::poll(&waiting, 1, static_cast<int>(left)) > 0)
            return;
    }
}

void Bus::send(std::string_view bytes, const os::Deadline& deadline) {
    while (!bytes.empty()) {
        wait_for(POLLOUT, deadline);
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EAGAIN && errno != EINTR)
            throw Error(errno, "write to", object);
    }
}

void Bus::receive(std::span<std::uint8_t> into, const os::Deadline& deadline) {
    while (!into.empty()) {
        wait_for(POLLIN, deadline);
        const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), MSG_DONTWAIT);
        if (got > 0)
            into = into.subspan(static_cast<std::size_t>(got));
        else if (got == 0)
            throw Error(ECONNRESET, "read from", object, "it has hung up");
        else if (errno != EAGAIN && errno != EINTR)
            throw Error(errno, "read from", object);
    }
}

} // namespace dbus
