// SPDX-License-Identifier: Apache-2.0
// portmap: CHECK looks at what the mappings stand on, and at what DEL will find them by; an ADD brings that back.
#include <doctest/doctest.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

const json mapped = ports({mapping(8080, 80), mapping(53, 53, "udp", "127.0.0.1")});

/// Containers that nobody made, each with a network's own address.
struct Attachment {
    std::string network, address;

    [[nodiscard]] Answer call(const std::string& command, const json& mappings = mapped) const {
        json config = {{"cniVersion", "1.0.0"}, {"name", network}, {"type", "portmap"}, {"runtimeConfig", mappings}};
        config["prevResult"] = {{"cniVersion", "1.0.0"},
                                {"interfaces", {{{"name", "eth0"}, {"sandbox", "/run/netns/c1"}}}},
                                {"ips", {{{"address", address}, {"interface", 0}}}}};
        return invoke({.plugin = "portmap", .command = command, .config = config, .netns = "/run/netns/c1"});
    }
};

std::string in_set(const std::string& kind_and_set) {
    return sh("nft list " + kind_and_set.substr(0, 4) + "inet cnative " + kind_and_set.substr(4) +
              " | grep -v -e '^table' -e '^}'");
}

void flush(const std::string& kind_and_set) {
    sh("nft flush " + kind_and_set.substr(0, 4) + "inet cnative " + kind_and_set.substr(4));
}

} // namespace

// CHECK said nothing: the host's 127.0.0.0/8 was open to containers, and DEL left what it had no record of.
TEST_CASE("portmap: CHECK names a guard, a record or a subnet that somebody flushed, and an ADD brings it back") {
    World world;
    world.netns("c1");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1", mapped).ok());
    const json config = network.config(1, network.results["c1 eth0"], mapped);
    const auto call = [&](const std::string& command) {
        return invoke({.plugin = "portmap", .command = command, .config = config, .netns = "/run/netns/c1"});
    };
    const std::string start = "port mappings of container c1 are not in place: ";
    const std::map<std::string, std::string> missing = {
        {"set localnet", "br0 is not in set localnet of table inet cnative"},
        {"map attachments", "the record of net/c1/eth0 is not in map attachments of table inet cnative"},
        {"set hairpin_within4_subnets", "10.9.0.0/24 is not in set hairpin_within4_subnets of table inet cnative"},
        {"set hairpin_within6_subnets", "fd09::/64 is not in set hairpin_within6_subnets of table inet cnative"}};
    for (const auto& [set, message] : missing) {
        CAPTURE(set);
        const std::string before = in_set(set);
        REQUIRE(call("CHECK").ok());
        flush(set);
        REQUIRE(in_set(set) != before);
        CHECK(call("CHECK").msg() == start + message);
        REQUIRE(call("ADD").ok());
        CHECK(in_set(set) == before);
        CHECK(call("CHECK").ok());
    }
    REQUIRE(call("DEL").ok());
    CHECK(!contains(sh("nft list ruleset | grep -v masq || true"), "8080"));
}

TEST_CASE("portmap: the next container on a bridge brings back the guard that somebody flushed") {
    World world;
    world.netns("c1");
    world.netns("c2");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1", mapped).ok());
    flush("set localnet");
    REQUIRE(!network.check("c1", mapped).ok());
    REQUIRE(network.add("c2", ports({mapping(8081, 80)})).ok());
    const Answer answer = network.check("c1", mapped);
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("portmap: without snat CHECK asks for no guard and no subnet") {
    World world;
    world.netns("c1");
    Network network(bridge_portmap_list({{"snat", false}}));
    REQUIRE(network.add("c1", mapped).ok());
    const Answer answer = network.check("c1", mapped);
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("portmap: CHECK of a network that waits for ports names a record that somebody flushed") {
    World world;
    world.netns("c1");
    const Attachment first{"one", "10.9.0.1/24"}, second{"two", "10.9.0.2/24"};
    REQUIRE(first.call("ADD").ok());
    REQUIRE(second.call("ADD").ok());
    for (const std::string& set : {std::string("set companions"), std::string("map waiting4")}) {
        CAPTURE(set);
        REQUIRE(second.call("CHECK").ok());
        flush(set);
        const Answer answer = second.call("CHECK");
        CHECK_MESSAGE(contains(answer.msg(), "the record of two/c1/eth0 is not in " + set + " of table inet cnative"),
                      answer.out);
        REQUIRE(second.call("ADD").ok());
        CHECK(second.call("CHECK").ok());
    }
    REQUIRE(first.call("DEL").ok());
    CHECK(contains(sh("nft list map inet cnative hostports4"), "comment \"two/c1/eth0\" : 10.9.0.2 . 80"));
    REQUIRE(second.call("DEL").ok());
    CHECK(!contains(sh("nft list ruleset"), "/c1/"));
}
