// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbus/address.h"
#include "dbus/bus.h"
#include "dbus/message.h"

using namespace std::string_literals;

namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string number(std::uint32_t value) { // little endian
    std::string text;
    for (int shift = 0; shift < 32; shift += 8)
        text += static_cast<char>(value >> shift & 0xff);
    return text;
}

std::string text_value(const std::string& text) {
    return number(static_cast<std::uint32_t>(text.size())) + text + '\0';
}

void align(std::string& message) {
    message.resize((message.size() + 7) / 8 * 8);
}

std::string message_of(char type, const std::string& fields, const std::string& body) {
    std::string message = "l"s + type + "\0\1"s + number(static_cast<std::uint32_t>(body.size())) + number(7) +
                          number(static_cast<std::uint32_t>(fields.size())) + fields;
    align(message);
    return message + body;
}

/// Header fields: the call's serial 3, and the body's signature.
std::string answering(const std::string& signature) {
    std::string fields = "\5\1u\0"s + number(3);
    if (!signature.empty()) {
        fields += "\10\1g\0"s + static_cast<char>(signature.size()) + signature + '\0';
    }
    return fields;
}

const std::string refusal =
    message_of(3, answering("s") + std::string(8 - answering("s").size() % 8, '\0') + "\4\1s\0"s + text_value("a.b.C"),
               text_value("no such zone"));

} // namespace

TEST_CASE("dbus: a call is laid out as the specification says") {
    const std::string call = dbus::encode(
        {.destination = "a.b", .path = "/a", .interface = "a.b.C", .member = "M", .arguments = {"xy", "z"}}, 1);
    const std::string fields = "\1\1o\0\2\0\0\0/a\0\0\0\0\0\0"s + "\2\1s\0\5\0\0\0a.b.C\0\0\0"s +
                               "\3\1s\0\1\0\0\0M\0\0\0\0\0\0\0"s + "\6\1s\0\3\0\0\0a.b\0\0\0\0\0"s + "\10\1g\0\2ss\0"s;
    CHECK(call == "l\1\0\1\x0e\0\0\0\1\0\0\0"s + number(static_cast<std::uint32_t>(fields.size())) + fields +
                      "\2\0\0\0xy\0\0\1\0\0\0z\0"s);
    CHECK(dbus::size_of(bytes(call)) == call.size());
    CHECK_FALSE(dbus::decode(bytes(call))); // a call is no answer
}

TEST_CASE("dbus: answers are read, whatever they hold") {
    const auto nothing = dbus::decode(bytes(message_of(2, answering(""), "")));
    REQUIRE(nothing);
    CHECK(nothing->serial == 3);
    CHECK(nothing->error.empty());
    CHECK_FALSE(nothing->text);
    CHECK(dbus::decode(bytes(message_of(2, answering("s"), text_value("trusted")))).value().text == "trusted");
    CHECK(dbus::decode(bytes(message_of(2, answering("b"), number(1)))).value().flag == true);
    CHECK(dbus::decode(bytes(message_of(2, answering("b"), number(0)))).value().flag == false);
    const auto refused = dbus::decode(bytes(refusal));
    REQUIRE(refused);
    CHECK(refused->error == "a.b.C");
    CHECK(refused->text == "no such zone");
}

TEST_CASE("dbus: the other byte order is read too") {
    std::string message = "B\2\0\1\0\0\0\4\0\0\0\7\0\0\0\x0f"s + "\5\1u\0\0\0\0\3\10\1g\0\1b\0"s;
    align(message);
    const auto reply = dbus::decode(bytes(message + "\0\0\0\1"s));
    REQUIRE(reply);
    CHECK(reply->serial == 3);
    CHECK(reply->flag == true);
}

TEST_CASE("dbus: a message cut short anywhere, or with any byte changed, is never read beyond its end") {
    for (std::size_t size = 0; size < refusal.size(); ++size)
        CHECK_FALSE(dbus::decode(bytes(refusal.substr(0, size))));
    for (std::size_t at = 0; at < refusal.size(); ++at) {
        for (const int change : {1, 0x80, 0xff}) {
            std::string damaged = refusal;
            damaged[at] = static_cast<char>(damaged[at] ^ change);
            // In a buffer of its own, that a checker sees the end of.
            const std::vector<std::uint8_t> copy(damaged.begin(), damaged.end());
            (void)dbus::size_of(copy);
            (void)dbus::decode(copy);
        }
    }
}

TEST_CASE("dbus: lengths that no message has are refused") {
    const auto claiming = [](std::uint32_t body, std::uint32_t fields) {
        return dbus::size_of(bytes("l\2\0\1"s + number(body) + number(1) + number(fields)));
    };
    CHECK(claiming(0, 0) == 16);
    CHECK(claiming(5, 9) == 37);
    CHECK_FALSE(claiming(UINT32_MAX, 0));
    CHECK_FALSE(claiming(0, UINT32_MAX));
    CHECK_FALSE(claiming(1 << 20, 1 << 20));
    CHECK_FALSE(dbus::size_of(bytes("x\2\0\1"s + number(0) + number(1) + number(0))));
    CHECK_FALSE(dbus::size_of(bytes("l\2\0\2"s + number(0) + number(1) + number(0))));
    CHECK_FALSE(dbus::size_of(bytes("l\2\0\1")));
}

// The deadline was looked at only when there was nothing to read: a bus that talks all the time was listened to for
// ever.
TEST_CASE("dbus: a deadline that has passed ends a call although the bus has something to say") {
    const std::string name = "cnative-dbus-test-" + std::to_string(::getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    const pid_t server = ::fork();
    if (server == 0) {
        ::alarm(20);
        const int caller = ::accept(listener.get(), nullptr, nullptr);
        std::string all = "OK 0\r\n";
        for (std::uint32_t serial = 1; serial <= 3; ++serial)
            all += message_of(2, "\5\1u\0"s + number(serial), "");
        (void)!::send(caller, all.data(), all.size(), MSG_NOSIGNAL);
        ::pause();
    }
    auto bus =
        dbus::Bus::connect({.path = name, .abstract = true}, os::Deadline::in(std::chrono::seconds(10))); // the first
    REQUIRE(bus);
    const dbus::Call call{.destination = "a.b", .path = "/a", .interface = "a.b.C", .member = "M", .arguments = {}};
    CHECK(bus->call(call, os::Deadline::in(std::chrono::seconds(10))).serial == 2);
    CHECK_THROWS_WITH((void)bus->call(call, os::Deadline::in(std::chrono::seconds(0))),
                      "wait for the message bus: connection timed out");
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
}

TEST_CASE("dbus: the first unix socket of an address list is taken") {
    const auto path = [](std::string_view list) {
        const auto address = dbus::parse_address(list);
        return address ? (address->abstract ? "@" : "") + address->path : "none"s;
    };
    CHECK(path("unix:path=/run/bus") == "/run/bus");
    CHECK(path("tcp:host=x,port=1;unix:guid=5,path=/a%20b") == "/a b");
    CHECK(path("unix:abstract=bus") == "@bus");
    CHECK(path("unix:path=/a%2") == "none");
    CHECK(path("unix:path=/a%zz") == "none");
    CHECK(path("unix:path=/a%00b") == "none");
    CHECK(path("unix:path=") == "none");
    CHECK(path("unixexec:path=/bin/sh") == "none");
    CHECK(path("") == "none");
}
