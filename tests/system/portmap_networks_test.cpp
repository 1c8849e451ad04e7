// SPDX-License-Identifier: Apache-2.0
// portmap: a container on several networks, each of which was asked for the same ports.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

const std::string one = "one", two = "two", three = "three";

json second_list(const json& keys = json::object()) {
    json list = bridge_portmap_list(keys, "1.0.0");
    list["name"] = "net2";
    list["plugins"][0].update({{"bridge", "br2"}, {"isDefaultGateway", false}, {"isGateway", true}});
    list["plugins"][0]["ipam"] = {{"type", "host-local"}, {"ranges", {{{{"subnet", "10.8.0.0/24"}}}}}};
    return list;
}

/// A container that nobody made, on a network whose number is in its address there.
struct Bare {
    std::string id = "c1", netns = "/run/netns/x";
    json keys = json::object();

    Answer call(const std::string& command, const std::string& network, const json& mappings, int number = 1) const {
        const std::string last = std::to_string(number);
        json config = {{"cniVersion", command == "GC" ? "1.1.0" : "1.0.0"},
                       {"name", network},
                       {"type", "portmap"},
                       {"snat", false},
                       {"runtimeConfig", mappings}};
        config["prevResult"] = {{"cniVersion", "1.0.0"},
                                {"interfaces", {{{"name", "eth0"}, {"sandbox", netns}}}},
                                {"ips",
                                 {{{"address", "10.9.0." + last + "/24"}, {"interface", 0}},
                                  {{"address", "fd09::" + last + "/64"}, {"interface", 0}}}}};
        config.update(keys);
        return invoke({.plugin = "portmap", .command = command, .config = config, .id = id, .netns = netns});
    }
};

} // namespace

// It was closed when the first network's DEL came.
TEST_CASE("portmap: a container that leaves one of its networks is reached by way of the other") {
    World world;
    const std::string c1 = world.netns("c1");
    Network first{bridge_portmap_list(json::object(), "1.0.0")}, second{second_list()};
    const Server server{c1, "tcp", 80, "c1"};
    const json mapped = ports({mapping(8080, 80)});
    const auto answer = [&] { return ask({}, "tcp", "127.0.0.1", 8080).value_or("--").substr(0, 2); };
    REQUIRE(first.add("c1", mapped).ok());
    const Answer added = second.add("c1", mapped, {}, "eth1");
    REQUIRE_MESSAGE(added.ok(), added.out);
    CHECK(answer() == "c1");
    SUBCASE("the first one") {
        REQUIRE(first.del("c1", mapped).ok());
        CHECK(answer() == "c1");
        REQUIRE(second.del("c1", mapped, {}, "eth1").ok());
    }
    SUBCASE("the second one") {
        REQUIRE(second.del("c1", mapped, {}, "eth1").ok());
        CHECK(answer() == "c1");
        REQUIRE(first.del("c1", mapped).ok());
    }
    CHECK(answer() == "--");
}

TEST_CASE("portmap: when a network is left, ports and ranges go to the next one, and nothing stays behind the last") {
    World world;
    Bare container;
    bool told = true;
    SUBCASE("DEL that is told of the mappings") {}
    SUBCASE("DEL that is not") {
        told = false;
    }
    SUBCASE("names of which the owner's is a hash") {
        container.id = std::string(125, 'x');
        container.netns = world.netns("x");
    }
    const json range = {{"hostPort", 8000}, {"hostPortEnd", 8010}, {"containerPort", 8000}, {"protocol", "udp"}};
    const json mapped = ports({mapping(8080, 80), mapping(53, 53, "udp", "192.0.2.1"), range});
    const json at_del = told ? mapped : json::object();
    for (int number = 1; const std::string& network : {one, two, three}) {
        const Answer answer = container.call("ADD", network, mapped, number++);
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(container.call("CHECK", network, mapped, number - 1).ok());
    }
    const auto leads_to = [&](const std::string& last) {
        const auto map = [](const std::string& name) { return sh("nft list map inet cnative " + name); };
        CHECK(contains(map("hostports4"), " : 10.9.0." + last + " . 80"));
        CHECK(contains(map("hostports6"), " : fd09::" + last + " . 80"));
        CHECK(contains(map("hostip_hostports4"), " : 10.9.0." + last + " . 53"));
        CHECK(contains(map("hostranges4"), " : 10.9.0." + last + " "));
        CHECK(contains(map("hostranges6"), " : fd09::" + last + " "));
    };
    leads_to("1");
    REQUIRE(container.call("DEL", one, at_del, 1).ok());
    leads_to("3"); // of two that wait the first by name
    CHECK(container.call("CHECK", two, mapped, 2).ok());
    CHECK(container.call("CHECK", three, mapped, 3).ok());
    REQUIRE(container.call("DEL", one, at_del, 1).ok());
    leads_to("3");
    REQUIRE(container.call("DEL", three, at_del, 3).ok());
    leads_to("2");
    REQUIRE(container.call("DEL", two, at_del, 2).ok());
    CHECK(sh("nft list table inet cnative | grep -E 'comment \"(one|two|three|#)' || true").empty());
}

TEST_CASE("portmap: a network that waits for a port can go before the one that has it") {
    World world;
    const Bare container;
    const json mapped = ports({mapping(8080, 80)});
    REQUIRE(container.call("ADD", one, mapped, 1).ok());
    REQUIRE(container.call("ADD", two, mapped, 2).ok());
    REQUIRE(container.call("DEL", two, mapped, 2).ok());
    CHECK(contains(sh("nft list map inet cnative hostports4"), ": 10.9.0.1 . 80"));
    CHECK(sh("nft list table inet cnative | grep 'comment \"two' || true").empty());
    REQUIRE(container.call("DEL", one, mapped, 1).ok());
    CHECK(sh("nft list table inet cnative | grep 'comment \"one' || true").empty());
}

// It waited for ever, behind an address that nobody has.
TEST_CASE("portmap: a container that came back in another namespace does not wait for what it left in the first") {
    World world;
    Bare container;
    container.netns = world.netns("x");
    const json mapped = ports({mapping(8080, 80)});
    REQUIRE(container.call("ADD", one, mapped, 1).ok());
    const int number = open(container.netns.c_str(), O_RDONLY | O_CLOEXEC); // which nobody else shall get
    sh("ip netns del x");
    world.netns("x");
    const Answer answer = container.call("ADD", two, mapped, 2);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(contains(answer.err, "one/c1/eth0 never gave back its host ports, and its network namespace is gone"));
    CHECK(contains(sh("nft list map inet cnative hostports4"), ": 10.9.0.2 . 80"));
    close(number);
}

TEST_CASE("portmap: GC gives a port to the container's other network, unless that is stale too") {
    World world;
    const Bare container;
    const json mapped = ports({mapping(8080, 80), mapping(53, 53, "udp")});
    REQUIRE(container.call("ADD", one, mapped, 1).ok());
    REQUIRE(container.call("ADD", two, mapped, 2).ok());
    REQUIRE(container.call("GC", one, mapped, 1).ok());
    CHECK(contains(sh("nft list map inet cnative hostports4"), "tcp . 8080 comment \"two/c1/eth0\" : 10.9.0.2 . 80"));
    CHECK(sh("nft list table inet cnative | grep 'comment \"one' || true").empty());
    REQUIRE(container.call("GC", two, mapped, 2).ok());
    CHECK(sh("nft list table inet cnative | grep 'comment \"two' || true").empty());
}

// The second network's conditions came into the map although its port did not, and stood before the first one's port.
TEST_CASE("portmap: the conditions of a network that waits for a port do not count") {
    World world;
    Bare container;
    const json mapped = ports({mapping(8080, 80)});
    REQUIRE(container.call("ADD", one, mapped, 1).ok());
    container.keys = {{"conditionsV4", {"ip saddr 192.0.2.77"}}};
    const Answer answer = container.call("ADD", two, mapped, 2);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(!contains(sh("nft list map inet cnative conditions4"), "8080"));
    REQUIRE(container.call("DEL", one, mapped, 1).ok());
    CHECK(
        contains(sh("nft list map inet cnative conditions4"), "tcp . 8080 comment \"two/c1/eth0\" : jump conditions_"));
    REQUIRE(container.call("DEL", two, mapped, 2).ok());
    CHECK(sh("nft list table inet cnative | grep 'comment \"two' || true").empty());
}

// "is missing", of a range that shares one port with the other network's, and of conditions that the other one lacks.
TEST_CASE("portmap: CHECK is content with ports that wait behind others of the same container") {
    World world;
    const Bare first, second{.keys = {{"conditionsV4", {"!", "-s", "192.0.2.7/32"}}}};
    json range = mapping(8080, 8080);
    range["hostPortEnd"] = 8082;
    const json single = ports({mapping(8081, 80)}), wider = ports({range});
    for (const json& wanted : {wider, single}) {
        REQUIRE(first.call("ADD", one, single).ok());
        const Answer added = second.call("ADD", two, wanted, 2);
        REQUIRE_MESSAGE(added.ok(), added.out);
        for (const bool alone : {false, true}) {
            CAPTURE(alone);
            if (alone)
                REQUIRE(first.call("DEL", one, single).ok());
            const Answer checked = second.call("CHECK", two, wanted, 2);
            CHECK_MESSAGE(checked.ok(), checked.out);
        }
        sh("nft 'flush map inet cnative hostranges4; flush map inet cnative hostports4'");
        CHECK(!second.call("CHECK", two, wanted, 2).ok());
        REQUIRE(second.call("DEL", two, wanted, 2).ok());
    }
    CHECK(!contains(sh("nft list ruleset"), "/c1/"));
}
