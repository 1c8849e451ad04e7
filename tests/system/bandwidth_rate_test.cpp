// SPDX-License-Identifier: Apache-2.0
// bandwidth: how fast a limited flow is, measured by the kernel's time stamps at the receiver.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "bandwidth_call.h"

using namespace test;

namespace {

constexpr int payload = 1300, headers = 14 + 20 + 8; // a discipline counts the whole frame
constexpr std::uint64_t rate = 16'000'000, burst = 1'600'000;

sockaddr_in address_of(const std::string& text, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, text.c_str(), &address.sin_addr);
    return address;
}

int socket_in(const std::string& netns, const std::string& address, int port) {
    if (!netns.empty()) {
        const int fd = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
            _exit(3);
    }
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in own = address_of(address, port);
    if (bind(socket, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
        _exit(4);
    return socket;
}

/// About 60 Mbit/s until killed.
[[noreturn]] void send_for_ever(const std::string& netns, const std::string& from, const std::string& to) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int socket = socket_in(netns, from, 0);
    const sockaddr_in peer = address_of(to, 9000);
    const char data[payload] = {};
    for (;;) {
        for (int i = 0; i < 12; ++i)
            (void)sendto(socket, data, sizeof data, 0, reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
        const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
        nanosleep(&pause, nullptr);
    }
}

double time_of(msghdr& message) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPNS) {
            timespec time{};
            std::memcpy(&time, CMSG_DATA(header), sizeof time);
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
        }
    }
    _exit(5);
}

/// Mbit/s, once what may come at once has come, over about a second of the limit.
[[noreturn]] void receive(const std::string& netns, const std::string& at, int result) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int socket = socket_in(netns, at, 9000);
    const int on = 1, room = 8 << 20;
    setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    const double frame = 8.0 * (payload + headers);
    double bits = 0, start = 0, now = 0;
    while (bits < 2.0 * burst + 1.2 * rate) {
        char data[2000], control[256];
        iovec place{.iov_base = data, .iov_len = sizeof data};
        msghdr message{.msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(socket, &message, 0) < 0)
            _exit(6);
        now = time_of(message);
        bits += frame;
        if (start == 0 && bits >= 2.0 * burst)
            start = now;
    }
    const double megabits = (bits - 2.0 * burst) / (now - start) / 1e6;
    _exit(write(result, &megabits, sizeof megabits) == sizeof megabits ? 0 : 7);
}

struct Flow {
    std::string from_netns, from, to_netns, to;
};

double measure(const Flow& flow) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t receiver = fork();
    if (receiver == 0)
        receive(flow.to_netns, flow.to, ends[1]);
    const pid_t sender = fork();
    if (sender == 0)
        send_for_ever(flow.from_netns, flow.from, flow.to);
    close(ends[1]);
    double megabits = 0;
    const bool told = read(ends[0], &megabits, sizeof megabits) == sizeof megabits;
    close(ends[0]);
    kill(sender, SIGKILL);
    waitpid(sender, nullptr, 0);
    waitpid(receiver, nullptr, 0);
    REQUIRE(told);
    return megabits;
}

/// On a busy machine the sender may fall behind: three times at most.
bool is_limited(const Flow& flow) {
    for (int i = 0; i < 3; ++i) {
        const double found = measure(flow), wanted = rate / 1e6;
        MESSAGE(flow.from, " to ", flow.to, ": ", found, " Mbit/s");
        if (found > 0.85 * wanted && found < 1.15 * wanted)
            return true;
    }
    return false;
}

bool is_faster(const Flow& flow) {
    for (int i = 0; i < 3; ++i) {
        if (measure(flow) > 1.5 * rate / 1e6)
            return true;
    }
    return false;
}

const std::string c1 = "/run/netns/c1";
const Flow to_container{"", "10.9.0.1", c1, "10.9.0.2"}, from_container{c1, "10.9.0.2", "", "10.9.0.1"};
// The host has two addresses: a near one, and one that the container reaches by a route.
const Flow far_to_container{"", "10.8.0.1", c1, "10.9.0.2"}, container_to_far{c1, "10.9.0.2", "", "10.8.0.1"};

void with_far_address() {
    sh("ip addr add 10.8.0.1/32 dev lo; ip -n c1 route add 10.8.0.0/24 via 10.9.0.1");
}

} // namespace

TEST_CASE("bandwidth: a flow in either direction has the rate that it is given, within 15 %") {
    World world;
    with_veth(world);
    CHECK(is_faster(to_container));
    CHECK(is_faster(from_container));
    const Answer answer = invoke(bandwidth("ADD", limits(rate, burst, rate, burst)));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(is_limited(to_container));
    CHECK(is_limited(from_container));
}

TEST_CASE("bandwidth: shapedSubnets limits flows of these only, within 15 %") {
    World world;
    with_veth(world);
    with_far_address();
    json keys = limits(rate, burst, rate, burst);
    keys["shapedSubnets"] = {"10.8.0.0/24"};
    const Answer answer = invoke(bandwidth("ADD", keys));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(invoke(bandwidth("CHECK", keys)).ok());
    CHECK(is_limited(far_to_container));
    CHECK(is_limited(container_to_far));
    CHECK(is_faster(to_container));
    CHECK(is_faster(from_container));
    CHECK(invoke(bandwidth("DEL", keys)).ok());
    CHECK(ifbs() == "");
}

TEST_CASE("bandwidth: unshapedSubnets lets flows of these pass, and limits the others within 15 %") {
    World world;
    with_veth(world);
    with_far_address();
    json keys = {{"unshapedSubnets", {"10.8.0.0/24", "fd00::/8"}},
                 {"runtimeConfig", {{"bandwidth", limits(rate, burst, rate, burst)}}}};
    const Answer answer = invoke(bandwidth("ADD", keys));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(invoke(bandwidth("CHECK", keys)).ok());
    CHECK(is_faster(far_to_container));
    CHECK(is_faster(container_to_far));
    CHECK(is_limited(to_container));
    CHECK(is_limited(from_container));
    sh("tc filter del dev hostv parent 1: prio 15");
    CHECK(contains(invoke(bandwidth("CHECK", keys)).msg(), "a filter of device hostv for unshapedSubnets is missing"));
}
