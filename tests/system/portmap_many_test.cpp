// SPDX-License-Identifier: Apache-2.0
// portmap: a container with more ports than one message to the kernel asks about.
#include <doctest/doctest.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

constexpr int first_port = 20000, count = 70, step = 27; // coprime: every port once, in no order

json many_ports() {
    json list = json::array();
    for (int i = 0; i < count; ++i)
        list.push_back(mapping(first_port + i * step % count, 80));
    return {{"portMappings", list}};
}

struct Hosts {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network{bridge_portmap_list(json::object(), "1.0.0")};
    Server server{c1, "tcp", 80, "c1"};

    std::string at(int port) const { return ask(outside, "tcp", "192.0.2.1", port).value_or("--").substr(0, 2); }
};

std::string elements() {
    return sh("nft list table inet cnative 2>/dev/null | grep -o 'comment \"net/[^\"]*\"' | sort | uniq -c");
}

} // namespace

TEST_CASE("portmap: each of many ports of a container leads to it, and DEL takes all of them") {
    Hosts hosts;
    const Answer answer = hosts.network.add("c1", many_ports());
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    for (const int port : {0, 1, 31, 32, 33, 64, count - 1})
        CHECK(hosts.at(first_port + port) == "c1");
    CHECK(hosts.at(first_port + count) == "--");
    CHECK(hosts.network.check("c1", many_ports()).ok());
    REQUIRE(hosts.network.del("c1", many_ports()).ok());
    for (const int port : {0, 32, count - 1})
        CHECK(hosts.at(first_port + port) == "--");
    CHECK(elements().empty());
}

TEST_CASE("portmap: one of many ports that is taken is named, and none of the others is mapped") {
    Hosts hosts;
    REQUIRE(hosts.network.add("c2", ports({mapping(first_port + 40, 80)})).ok());
    const std::string before = elements();
    const Answer answer = hosts.network.add("c1", many_ports());
    REQUIRE(!answer.ok());
    CHECK(contains(answer.msg(), "host port 20040/tcp is taken by container c2 (network net)"));
    CHECK(hosts.at(first_port) == "--");
    REQUIRE(hosts.network.del("c1", many_ports()).ok()); // of bridge's part
    CHECK(elements() == before);
}

// Few elements are listed; among many of others, which are never looked at, a container's are looked up.
TEST_CASE("portmap: DEL takes what is left of many ports, and not what somebody else has by now") {
    int others = 0;
    SUBCASE("on a host with few") {}
    SUBCASE("on a host with many") {
        others = 1000;
    }
    Hosts hosts;
    REQUIRE(hosts.network.add("c1", many_ports()).ok());
    sh("nft delete element inet cnative hostports4 '{ tcp . 20000, tcp . 20031, tcp . 20032, tcp . 20069 }'; "
       "nft add element inet cnative hostports4 '{ tcp . 20031 comment \"net/other/eth0\" : 10.9.0.99 . 80 }'; "
       "for i in $(seq " +
       std::to_string(others) +
       "); do echo \"add element inet cnative hostports4 { udp . $i comment \\\"net/crowd/eth0\\\" : 10.9.0.98 . 80 "
       "}\"; "
       "done | nft -f -");
    const std::string crowd = others == 0 ? "" : "   " + std::to_string(others) + " comment \"net/crowd/eth0\"\n";
    REQUIRE(hosts.network.del("c1", many_ports()).ok());
    CHECK(elements() == crowd + "      1 comment \"net/other/eth0\"\n");
}

// It was "message too long" for the first, and "no buffer space available" for the second container.
TEST_CASE("portmap: more elements than a netlink socket's buffers have room for") {
    constexpr int most = 1000; // two elements each in both families
    Hosts hosts;
    hosts.network = Network(bridge_portmap_list(
        {{"conditionsV4", {"iifname != \"nowhere\""}}, {"conditionsV6", {"iifname != \"nowhere\""}}}, "1.0.0"));
    json list = json::array();
    for (int i = 0; i < most; ++i)
        list.push_back(mapping(first_port + i, 80));
    const json mapped = {{"portMappings", list}};
    const Answer answer = hosts.network.add("c1", mapped);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(hosts.at(first_port) == "c1");
    CHECK(hosts.at(first_port + most - 1) == "c1");
    const Answer other = hosts.network.add("c2", mapped);
    CHECK(contains(other.msg(), "/tcp is taken by container c1 (network net): remove it or choose another hostPort"));
    REQUIRE(hosts.network.del("c2", mapped).ok()); // of bridge's part
    REQUIRE(hosts.network.del("c1", mapped).ok());
    CHECK(elements().empty());
}
