// SPDX-License-Identifier: Apache-2.0
// portmap: a port of the host's loopback address is the host's alone.
#include <doctest/doctest.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

const json mapped =
    ports({mapping(8080, 80, "tcp", "127.0.0.1"), mapping(8081, 80), mapping(5353, 53, "udp", "127.0.0.1")});

/// From now on what this namespace sends to 127.0.0.1 goes out by way of its neighbour.
void send_loopback_out(const std::string& netns, const std::string& device, const std::string& by,
                       const std::string& source) {
    sh("echo 1 > /proc/sys/net/ipv4/conf/" + device +
           "/route_localnet; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via " + by + " dev " + device +
           " src " + source,
       netns);
}

/// Which of the mapped ports answer at this address: "8080 8081 5353 " at most.
std::string answering(const std::string& netns, const std::string& address) {
    std::string ports;
    for (const auto& [protocol, port] : {std::pair<std::string, int>("tcp", 8080), {"tcp", 8081}, {"udp", 5353}}) {
        if (ask(netns, protocol, address, port).value_or("").starts_with("c1 "))
            ports += std::to_string(port) + " ";
    }
    return ports;
}

json other_list(const std::string& number) {
    json list = bridge_portmap_list();
    list["name"] = "net" + number;
    list["plugins"][0]["bridge"] = "br" + number;
    list["plugins"][0]["ipam"] = {{"type", "host-local"}, {"ranges", {{{{"subnet", "10." + number + ".0.0/24"}}}}}};
    return list;
}

} // namespace

// Was led to the container in prerouting, before the kernel looked for martians.
TEST_CASE("portmap: a port of 127.0.0.1 is reached by the host alone, not by neighbours or containers") {
    json keys = json::object();
    SUBCASE("snat") {}
    SUBCASE("no snat") {
        keys = {{"snat", false}};
    }
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2"), c3 = world.netns("c3"),
                      c4 = world.netns("c4");
    const Server tcp{c1, "tcp", 80, "c1"}, udp{c1, "udp", 53, "c1"};
    Network network(bridge_portmap_list(keys)), plain(other_list("7")), other(other_list("8"));
    REQUIRE(network.add("c1", mapped).ok());
    REQUIRE(network.add("c2").ok());
    REQUIRE(plain.add("c3").ok());
    REQUIRE(other.add("c4", ports({mapping(8082, 80)})).ok()); // its bridge routes loopback addresses, too
    const std::string at_loopback = keys.empty() ? "8080 8081 5353 " : "";
    CHECK(answering({}, "127.0.0.1") == at_loopback);
    for (const std::string& netns : {std::string(), outside, c2, c3, c4}) {
        CAPTURE(netns);
        CHECK(answering(netns, "192.0.2.1") == "8081 ");
    }
    send_loopback_out(outside, "up0", "192.0.2.1", "192.0.2.2");
    send_loopback_out(c2, "eth0", "10.9.0.1", "10.9.0.3");
    send_loopback_out(c3, "eth0", "10.7.0.1", "10.7.0.2");
    send_loopback_out(c4, "eth0", "10.8.0.1", "10.8.0.2");
    for (const std::string& netns : {outside, c2, c3, c4}) {
        CAPTURE(netns);
        CHECK(answering(netns, "127.0.0.1").empty());
    }
    CHECK(answering({}, "127.0.0.1") == at_loopback);
}

TEST_CASE("portmap: with the next ADD a table of an earlier version keeps neighbours off 127.0.0.1") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    world.netns("c2");
    const Server tcp{c1, "tcp", 80, "c1"}, udp{c1, "udp", 53, "c1"};
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1", mapped).ok());
    sh("nft 'flush chain inet cnative hostports_prerouting; "
       "add rule inet cnative hostports_prerouting fib daddr type local jump hostports; "
       "delete element inet cnative schema { \"portmap\" }; add element inet cnative schema { \"portmap\" : 7 }'");
    send_loopback_out(outside, "up0", "192.0.2.1", "192.0.2.2");
    REQUIRE(answering(outside, "127.0.0.1") == "8080 8081 5353 ");
    REQUIRE(network.add("c2", ports({mapping(8082, 80)})).ok());
    CHECK(answering(outside, "127.0.0.1").empty());
    CHECK(answering({}, "127.0.0.1") == "8080 8081 5353 ");
    CHECK(answering(outside, "192.0.2.1") == "8081 ");
}

// The kernel sees to it: before any hook it drops what comes to ::1 from outside.
TEST_CASE("portmap: what a neighbour sends to ::1 does not arrive at the container") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1", ports({mapping(8080, 80), mapping(8080, 80, "tcp", "::1")})).ok());
    const auto seen = [](const std::string& netns) {
        return sh("nft -j list ruleset | jq '[.nftables[].rule? | select(.comment == \"seen\") | .expr[].counter? // "
                  "empty | .packets] | add'",
                  netns);
    };
    sh("nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i meta "
       "nfproto ipv6 tcp dport 80 counter comment \"seen\"'",
       c1);
    sh("nft 'add table netdev t; add chain netdev t i { type filter hook ingress device uplink priority 0; }; add rule "
       "netdev t i ip6 daddr ::1 tcp dport 8080 counter comment \"seen\"'");
    REQUIRE(eventually([&] { return (void)ask(outside, "tcp", "2001:db8::1", 8080), seen(c1) != "0\n"; }));
    const std::string before = seen(c1);
    sh("nft 'add table netdev t; add chain netdev t e { type filter hook egress device up0 priority 0; }; add rule "
       "netdev t e ip6 daddr 2001:db8::1 tcp dport 8080 ip6 daddr set ::1'",
       outside);
    CHECK_FALSE(ask(outside, "tcp", "2001:db8::1", 8080));
    CHECK(seen({}) != "0\n");
    CHECK(seen(c1) == before);
}
