// SPDX-License-Identifier: Apache-2.0
// portmap and what connection tracking remembers: flows to a mapped port are forgotten, and no others.
#include <doctest/doctest.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

std::string flows(const std::string& protocol) {
    return sh("conntrack -L -p " + protocol + " 2>/dev/null");
}

bool has_flow(const std::string& protocol, int source_port) {
    return contains(flows(protocol), "sport=" + std::to_string(source_port) + " ");
}

/// c1 is reached at udp port 5353 of every host address; flows 40001 (to it, over IPv4), 40002 (IPv6) and 40003 (to
/// the same port of the outside host) have been seen.
struct Talk {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network{bridge_portmap_list(json::object(), "1.1.0")};
    json mapped = ports({mapping(5353, 53, "udp")});
    Server server{c1, "udp", 53, "c1"}, other{outside, "udp", 5353, "outside"};

    Talk() {
        REQUIRE(network.add("c1", mapped).ok());
        REQUIRE(network.add("c2").ok());
        REQUIRE(ask(outside, "udp", "192.0.2.1", 5353, 40001) == "c1 192.0.2.2");
        REQUIRE(eventually([&] { return ask(outside, "udp", "2001:db8::1", 5353, 40002) == "c1 2001:db8::2"; }));
        REQUIRE(ask(c2, "udp", "192.0.2.2", 5353, 40003) == "outside 192.0.2.1");
        REQUIRE(has_flow("udp", 40001));
    }
    void check_only_others_left() const {
        CHECK_FALSE(has_flow("udp", 40001));
        CHECK_FALSE(contains(sh("conntrack -L -f ipv6 -p udp 2>/dev/null"), "sport=40002 "));
        CHECK(has_flow("udp", 40003));
    }
};

} // namespace

TEST_CASE("portmap: DEL forgets the udp flows of both families") {
    Talk talk;
    REQUIRE(talk.network.del("c1", talk.mapped).ok());
    talk.check_only_others_left();
}

TEST_CASE("portmap: GC forgets the udp flows of what it removes") {
    Talk talk;
    REQUIRE(talk.network.gc({{"c2", "eth0"}}).ok());
    talk.check_only_others_left();
}

// The other sockets tried again; flows stayed where they were.
TEST_CASE("portmap: GC forgets the udp flows though sending to the kernel is interrupted") {
    Talk talk;
    json config = talk.network.config(1, nullptr, json::object());
    config["cni.dev/valid-attachments"] = {{{"containerID", "c2"}, {"ifname", "eth0"}}};
    const Answer answer = invoke({.plugin = "portmap",
                                  .command = "GC",
                                  .config = config,
                                  .id = "",
                                  .ifname = "",
                                  .wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "trace=sendto", "-e",
                                              "inject=sendto:error=EINTR:when=1+2"}}); // each one, once
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.err.empty());
    talk.check_only_others_left();
}

TEST_CASE("portmap: ADD forgets flows to the port of this host's addresses, not to the port elsewhere") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c2").ok());
    const Server host("", "udp", 5353, "host"), other(outside, "udp", 5353, "outside");
    REQUIRE(ask(outside, "udp", "192.0.2.1", 5353, 40001) == "host 192.0.2.2");
    REQUIRE(ask(outside, "udp", "192.0.2.1", 5353, 40002) == "host 192.0.2.2");
    REQUIRE(ask(c2, "udp", "192.0.2.2", 5353, 40003) == "outside 192.0.2.1");
    REQUIRE(network.add("c1", ports({mapping(5353, 53, "udp")})).ok());
    CHECK_FALSE(has_flow("udp", 40001));
    CHECK(has_flow("udp", 40003));
}

TEST_CASE("portmap: ADD for one host address leaves the flows to the others") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    sh("ip addr add 192.0.2.9/24 dev uplink");
    world.netns("c2");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c2").ok()); // from here on the host tracks flows
    const Server host("", "udp", 5353, "host"), server(c1, "udp", 53, "c1");
    REQUIRE(ask(outside, "udp", "192.0.2.1", 5353, 40001) == "host 192.0.2.2");
    (void)ask(outside, "udp", "192.0.2.9", 5353, 40002); // answered from another address
    const std::string elsewhere = "src=192.0.2.2 dst=192.0.2.9 sport=40002 ";
    REQUIRE(contains(flows("udp"), elsewhere));
    REQUIRE(network.add("c1", ports({mapping(5353, 53, "udp", "192.0.2.1")})).ok());
    CHECK_FALSE(has_flow("udp", 40001));
    CHECK(contains(flows("udp"), elsewhere));
    CHECK(ask(outside, "udp", "192.0.2.1", 5353, 40001) == "c1 192.0.2.2");
}

TEST_CASE("portmap: tcp connections outlive the ADD of another container's mapping of the same number") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    world.netns("c2");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c2").ok());
    const Server host("", "tcp", 5353, "host");
    REQUIRE(ask(outside, "tcp", "192.0.2.1", 5353, 40001) == "host 192.0.2.2");
    REQUIRE(network.add("c1", ports({mapping(5353, 53, "udp")})).ok());
    CHECK(has_flow("tcp", 40001));
    CHECK(ask(outside, "tcp", "192.0.2.1", 5353) == "host 192.0.2.2");
}

// The kernel need not have SCTP sockets: it tracks what is forwarded, and a flow may be put there by hand.
TEST_CASE("portmap: sctp flows are forgotten like udp's, on ADD and on DEL") {
    World world;
    world.outside();
    world.netns("c1");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1").ok());
    const auto track = [](const std::string& to, int from) {
        const std::string port = std::to_string(from);
        sh("conntrack -I -p sctp -s 192.0.2.2 -d " + to + " --orig-port-src " + port + " --orig-port-dst 9899 " +
           "-r 10.9.0.2 -q 192.0.2.2 --reply-port-src 99 --reply-port-dst " + port +
           " --state ESTABLISHED --timeout 600 --orig-vtag 1 --reply-vtag 2 2>/dev/null");
        REQUIRE(has_flow("sctp", from));
    };
    const json mapped = ports({mapping(9899, 99, "sctp")});
    const json second = network.config(1, network.results["c1 eth0"], mapped);
    for (const std::string command : {"ADD", "DEL"}) {
        CAPTURE(command);
        track("192.0.2.1", 40001);
        track("192.0.2.77", 40002);
        REQUIRE(invoke({.plugin = "portmap", .command = command, .config = second, .netns = "/run/netns/c1"}).ok());
        CHECK_FALSE(has_flow("sctp", 40001));
        CHECK(has_flow("sctp", 40002) == (command == "ADD")); // a flow that was sent to the container is its own
        sh("conntrack -F 2>/dev/null");
    }
}
