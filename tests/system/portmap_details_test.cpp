// SPDX-License-Identifier: Apache-2.0
// portmap: protocols, options and versions that few configs use, and mappings that change.
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

std::string port_elements() {
    return sh("nft list ruleset | grep -e 'tcp \\. ' -e 'udp \\. ' -e 'sctp \\. ' -e '132 \\. ' || true");
}

// ---- SCTP by hand: the kernel need not have it to map its ports.

using Sctp = std::array<std::uint8_t, 32>; // common header and an INIT chunk, RFC 9260 section 3

void put16(Sctp& packet, std::size_t at, unsigned value) {
    packet[at] = static_cast<std::uint8_t>(value >> 8);
    packet[at + 1] = static_cast<std::uint8_t>(value);
}

std::uint32_t crc32c(const Sctp& packet) {
    std::uint32_t crc = ~0U;
    for (const std::uint8_t byte : packet) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1)));
    }
    return ~crc;
}

Sctp init_to(unsigned port) {
    Sctp packet{};
    put16(packet, 0, 40003);
    put16(packet, 2, port);
    packet[12] = 1; // INIT
    put16(packet, 14, 20);
    put16(packet, 18, 1);    // initiate tag
    put16(packet, 22, 1500); // receiver window
    put16(packet, 24, 1);
    put16(packet, 26, 1);
    const std::uint32_t sum = crc32c(packet);
    std::memcpy(&packet[8], &sum, sizeof sum);
    return packet;
}

void enter(const std::string& netns) {
    if (netns.empty())
        return;
    const int fd = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        _exit(9);
}

/// The port at which an INIT from `client` to `address`:`port` reaches `server`; 0 when it does not.
int init_arrives_at(const std::string& server, const std::string& client, const std::string& address, unsigned port) {
    std::array<int, 2> ready{};
    REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
    const pid_t receiver = fork();
    if (receiver == 0) {
        enter(server);
        const int socket = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_SCTP);
        (void)!write(ready[1], "", 1);
        pollfd wait{.fd = socket, .events = POLLIN, .revents = 0};
        std::array<std::uint8_t, 256> bytes{};
        if (poll(&wait, 1, 2000) != 1 || recv(socket, bytes.data(), bytes.size(), 0) < 52)
            _exit(0);
        _exit(bytes[20 + 2] << 8 | bytes[20 + 3]); // of small ports
    }
    char go = 0;
    REQUIRE(read(ready[0], &go, 1) == 1);
    const pid_t sender = fork();
    if (sender == 0) {
        enter(client);
        const int socket = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_SCTP);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        inet_pton(AF_INET, address.c_str(), &to.sin_addr);
        const Sctp packet = init_to(port);
        (void)sendto(socket, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
        _exit(0);
    }
    int status = 0;
    waitpid(sender, &status, 0);
    waitpid(receiver, &status, 0);
    close(ready[0]);
    close(ready[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

} // namespace

TEST_CASE("portmap: an sctp port is reached from outside, and closed by DEL") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1", ports({mapping(9899, 99, "sctp")})).ok());
    CHECK(init_arrives_at(c1, outside, "192.0.2.1", 9899) == 99);
    REQUIRE(network.del("c1", ports({mapping(9899, 99, "sctp")})).ok());
    CHECK(init_arrives_at(c1, outside, "192.0.2.1", 9899) == 0);
    CHECK(port_elements().empty());
}

TEST_CASE("portmap: the protocol's letters may be of any case") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    const Server server(c1, "tcp", 80, "c1");
    REQUIRE(network.add("c1", ports({mapping(8080, 80, "TCP")})).ok());
    CHECK(ask(outside, "tcp", "192.0.2.1", 8080) == "c1 192.0.2.2");
}

TEST_CASE("portmap: conditions over IPv6, in either language, let some sources through") {
    for (const json& keys : {json{{"backend", "nftables"}, {"conditionsV6", {"ip6", "saddr", "!=", "2001:db8::2"}}},
                             json{{"conditionsV6", {"!", "-s", "2001:db8::2/128"}}}}) {
        CAPTURE(keys.dump());
        World world;
        const std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
        Network network(bridge_portmap_list(keys));
        const Server server(c1, "tcp", 80, "c1");
        REQUIRE(network.add("c1", ports({mapping(8080, 80)})).ok());
        REQUIRE(network.add("c2").ok());
        CHECK_FALSE(ask(outside, "tcp", "2001:db8::1", 8080));
        CHECK(eventually([&] { return ask(c2, "tcp", "fd09::1", 8080).has_value(); }));
        CHECK(ask(outside, "tcp", "192.0.2.1", 8080) == "c1 192.0.2.2");
        REQUIRE(network.del("c1", ports({mapping(8080, 80)})).ok());
        CHECK(port_elements().empty());
    }
}

TEST_CASE("portmap: externalSetMarkChain and markMasqBit are taken, and host and hairpin still get through") {
    for (const json& keys : {json{{"externalSetMarkChain", "KUBE-MARK-MASQ"}}, json{{"markMasqBit", 5}}}) {
        CAPTURE(keys.dump());
        World world;
        const std::string c1 = world.netns("c1");
        sh("iptables -t nat -N KUBE-MARK-MASQ; ip6tables -t nat -N KUBE-MARK-MASQ; "
           "iptables -t nat -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000; "
           "iptables -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE");
        Network network(bridge_portmap_list(keys));
        const Server server(c1, "tcp", 80, "c1");
        REQUIRE(network.add("c1", ports({mapping(8080, 80)})).ok());
        CHECK(ask("", "tcp", "127.0.0.1", 8080).has_value());
        CHECK(ask(c1, "tcp", "10.9.0.1", 8080) == "c1 10.9.0.1");
    }
}

TEST_CASE("portmap: options of the two backends do not mix, in the Go suite's words") {
    World world;
    const std::string c1 = world.netns("c1");
    const auto refusal = [&](const json& more) {
        json config = {{"cniVersion", "1.0.0"},
                       {"name", "net"},
                       {"type", "portmap"},
                       {"prevResult", {{"cniVersion", "1.0.0"}, {"ips", json::array()}}}};
        config.update(more);
        return invoke({.plugin = "portmap", .config = config, .netns = c1}).msg();
    };
    const json iptables_words = {"-s", "192.0.2.2"}, nft_words = {"ip", "saddr", "192.0.2.2"};
    CHECK(refusal({{"backend", "nftables"}, {"externalSetMarkChain", "X"}}) ==
          "failed to parse config: nftables backend was requested but configuration contains iptables-specific options "
          "[externalSetMarkChain]");
    CHECK(refusal({{"backend", "nftables"}, {"conditionsV4", iptables_words}, {"conditionsV6", iptables_words}}) ==
          "failed to parse config: nftables backend was requested but configuration contains iptables-specific options "
          "[conditionsV4 conditionsV6]");
    CHECK(refusal({{"backend", "iptables"}, {"conditionsV4", nft_words}}) ==
          "failed to parse config: iptables backend was requested but configuration contains nftables-specific options "
          "[conditionsV4]");
    CHECK(refusal({{"externalSetMarkChain", "X"}, {"conditionsV4", nft_words}}) ==
          "failed to parse config: iptables backend was requested but configuration contains nftables-specific options "
          "[conditionsV4]");
    CHECK(refusal({{"backend", "ebpf"}}) == "failed to parse config: unrecognized backend \"ebpf\"");
}

TEST_CASE("portmap: a port of [::1] is taken, with a warning") {
    World world;
    world.netns("c1");
    Network network(bridge_portmap_list());
    json one = mapping(8080, 80);
    one["hostIP"] = "::1";
    const Answer answer = network.add("c1", ports({one}));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK_MESSAGE(contains(answer.err, "hostIP ::1: nothing will reach this mapping"), answer.err);
}

TEST_CASE("portmap: a whole chain of 0.1.0 and of 0.2.0 maps both families") {
    for (const std::string version : {"0.1.0", "0.2.0"}) {
        CAPTURE(version);
        World world;
        const std::string outside = world.outside(), c1 = world.netns("c1");
        Network network(bridge_portmap_list(json::object(), version));
        const Server server(c1, "tcp", 80, "c1");
        const Answer answer = network.add("c1", ports({mapping(8080, 80)}));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document()["cniVersion"] == version);
        CHECK(answer.document()["ip4"]["ip"] == "10.9.0.2/24");
        CHECK(answer.document()["ip6"]["ip"] == "fd09::2/64");
        CHECK(ask(outside, "tcp", "192.0.2.1", 8080) == "c1 192.0.2.2");
        CHECK(eventually([&] { return ask(outside, "tcp", "2001:db8::1", 8080).has_value(); }));
        network.results.clear(); // these versions have no prevResult on DEL
        REQUIRE(network.del("c1", ports({mapping(8080, 80)})).ok());
        CHECK(port_elements().empty());
    }
}

TEST_CASE("portmap: an ADD with other mappings than the one before it leaves none of the old") {
    for (const json& keys :
         {json::object(), json{{"backend", "nftables"}, {"conditionsV4", {"ip", "saddr", "!=", "192.0.2.99"}}}}) {
        CAPTURE(keys.dump());
        World world;
        const std::string outside = world.outside(), c1 = world.netns("c1");
        Network network(bridge_portmap_list(keys));
        REQUIRE(network.add("c1", ports({mapping(8080, 80), mapping(8082, 80)})).ok());
        const Server server(c1, "tcp", 80, "c1");
        const json again = network.config(1, network.results["c1 eth0"], ports({mapping(8081, 80), mapping(8082, 80)}));
        REQUIRE(invoke({.plugin = "portmap", .config = again, .netns = c1}).ok());
        CHECK_FALSE(ask(outside, "tcp", "192.0.2.1", 8080));
        CHECK(ask(outside, "tcp", "192.0.2.1", 8081) == "c1 192.0.2.2");
        CHECK(ask(outside, "tcp", "192.0.2.1", 8082) == "c1 192.0.2.2");
        CHECK_FALSE(contains(sh("nft list ruleset"), "8080"));
    }
}

TEST_CASE("portmap: DEL with other mappings than ADD's removes what ADD made") {
    for (const json& later :
         {ports({mapping(8081, 80)}), ports({mapping(8080, 80), mapping(8081, 80)}), ports({mapping(8080, 80)})}) {
        CAPTURE(later.dump());
        World world;
        const std::string c1 = world.netns("c1");
        Network network(bridge_portmap_list());
        REQUIRE(network.add("c1", ports({mapping(8080, 80)})).ok());
        REQUIRE(network.del("c1", later).ok());
        CHECK(port_elements().empty());
    }
}

// The kernel closes the socket that has deleted something, behind the plugin's back.
TEST_CASE("portmap: no netlink socket outlives a DEL") {
    World world;
    world.netns("c1");
    Network network(bridge_portmap_list());
    const json mappings = ports({mapping(8080, 80), mapping(5353, 53, "udp")});
    REQUIRE(network.add("c1", mappings).ok());
    REQUIRE(network.del("c1", mappings).ok());
    CHECK(port_elements().empty());
    CHECK(eventually([] { return sh("awk '$2 == 12 && $3 != 0' /proc/net/netlink").empty(); }));
}
