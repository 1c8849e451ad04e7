// SPDX-License-Identifier: Apache-2.0
// portmap: who gets a port that several ask for, and whose elements DEL and GC take away.
#include <doctest/doctest.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

// Two containers with a server each, and a host outside.
struct Pair {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network;
    Server first{c1, "tcp", 80, "c1"}, second{c2, "tcp", 80, "c2"};

    explicit Pair(const json& keys = json::object(), const std::string& version = "1.0.0")
        : network(bridge_portmap_list(keys, version)) {}

    void add(const std::string& id, const json& mappings) {
        const Answer answer = network.add(id, mappings);
        REQUIRE_MESSAGE(answer.ok(), answer.out);
    }
    /// Who answers, "--" when nobody does, at this address and port of the host.
    std::string at(const std::string& address, int port, const std::string& from = {}) const {
        return ask(from.empty() ? outside : from, "tcp", address, port).value_or("--").substr(0, 2);
    }
};

/// Keys of portmap's elements whose comment names the container.
std::string elements_of(const std::string& id) {
    return sh("nft -j list table inet cnative | jq -c '.nftables[] | (.set // .map // empty) | "
              "select(.name | startswith(\"masq\") and (startswith(\"masq_all\") | not) | not) | .elem // [] | .[] | "
              "(if type == \"array\" then .[0] else . end) | .elem? // empty | "
              "select(.comment == \"net/" +
              id + "/eth0\") | .val'");
}

} // namespace

TEST_CASE("portmap: a port of one host address stands beside the same port of all, and wins there") {
    for (const bool all_first : {true, false}) {
        CAPTURE(all_first);
        Pair pair;
        const json all = ports({mapping(8080, 80)}), one = ports({mapping(8080, 80, "tcp", "192.0.2.1")});
        pair.add("c1", all_first ? all : one);
        pair.add("c2", all_first ? one : all);
        const std::string has_all = all_first ? "c1" : "c2", has_one = all_first ? "c2" : "c1";
        CHECK(pair.at("192.0.2.1", 8080) == has_one);
        CHECK(pair.at("127.0.0.1", 8080, "/proc/self/ns/net") == has_all);
        CHECK(pair.at("10.9.0.1", 8080, pair.c1) == has_all);
        CHECK(pair.network.check("c1", all_first ? all : one).ok());
        REQUIRE(pair.network.del(has_one, one).ok());
        CHECK(pair.at("192.0.2.1", 8080) == has_all);
    }
}

TEST_CASE("portmap: two containers have one port at two host addresses, of two families, on two protocols") {
    Pair pair;
    pair.add("c1", ports({mapping(8080, 80, "tcp", "127.0.0.1"), mapping(8081, 80, "tcp", "0.0.0.0"),
                          mapping(8082, 80, "udp")}));
    pair.add("c2", ports({mapping(8080, 80, "tcp", "192.0.2.1"), mapping(8081, 80, "tcp", "::"), mapping(8082, 80)}));
    CHECK(pair.at("127.0.0.1", 8080, "/proc/self/ns/net") == "c1");
    CHECK(pair.at("192.0.2.1", 8080) == "c2");
    CHECK(pair.at("192.0.2.1", 8081) == "c1");
    CHECK(eventually([&] { return pair.at("2001:db8::1", 8081) == "c2"; }));
    CHECK(pair.at("192.0.2.1", 8082) == "c2");
}

TEST_CASE("portmap: the same port of the same host address is refused, whatever stands beside") {
    Pair pair;
    pair.add("c1", ports({mapping(8080, 80, "tcp", "192.0.2.1"), mapping(8081, 80, "tcp", "0.0.0.0")}));
    const Answer bound = pair.network.add("c2", ports({mapping(8080, 80, "tcp", "192.0.2.1")}));
    CHECK(bound.msg() == "host port 192.0.2.1:8080/tcp is taken by container c1 (network net): remove it or choose "
                         "another hostPort");
    REQUIRE(pair.network.del("c2", ports({mapping(8080, 80, "tcp", "192.0.2.1")})).ok());
    const Answer unbound = pair.network.add("c2", ports({mapping(8081, 80)}));
    CHECK(unbound.msg() == "host port 8081/tcp is taken by container c1 (network net): remove it or choose another "
                           "hostPort");
    CHECK(elements_of("c2").empty());
}

TEST_CASE("portmap: a container on two networks keeps the first one's port, until that one's DEL") {
    Pair pair;
    json list = bridge_portmap_list();
    list["name"] = "net2";
    list["plugins"][0].update({{"bridge", "br2"}, {"isDefaultGateway", false}, {"isGateway", true}});
    list["plugins"][0]["ipam"] = {{"type", "host-local"}, {"ranges", {{{{"subnet", "10.8.0.0/24"}}}}}};
    Network second(list);
    const json mapped = ports({mapping(8080, 80)});
    pair.add("c1", mapped);
    const Answer answer = second.add("c1", mapped, {}, "eth1");
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(pair.at("192.0.2.1", 8080) == "c1");
    const Answer checked = second.check("c1", mapped, {}, "eth1");
    CHECK_MESSAGE(checked.ok(), checked.out);
    REQUIRE(second.del("c1", mapped, {}, "eth1").ok());
    CHECK(pair.at("192.0.2.1", 8080) == "c1");
    REQUIRE(pair.network.del("c1", mapped).ok());
    CHECK(pair.at("192.0.2.1", 8080) == "--");
    CHECK_MESSAGE(elements_of("c1").empty(), elements_of("c1"));
}

TEST_CASE("portmap: one host port for two container ports is refused, the same mapping twice is one") {
    Pair pair;
    const Answer answer = pair.network.add("c1", ports({mapping(8080, 80), mapping(8080, 81)}));
    CHECK(contains(answer.msg(), "host port 8080/tcp is mapped twice, to container ports 80 and 81"));
    REQUIRE(pair.network.del("c1").ok());
    pair.add("c1", ports({mapping(8080, 80), mapping(8080, 80)}));
    CHECK(pair.at("192.0.2.1", 8080) == "c1");
}

// Was: what DEL was not told of stayed until GC.
TEST_CASE("portmap: DEL that is told of some of the mappings removes all") {
    for (const json& keys : {json::object(), json{{"snat", false}}}) {
        CAPTURE(keys.dump());
        Pair pair(keys);
        const json second = ports({mapping(8081, 80)});
        pair.add("c1", ports({mapping(8080, 80), mapping(8082, 53, "udp"), mapping(8083, 80, "tcp", "192.0.2.1")}));
        pair.add("c2", second);
        REQUIRE(pair.at("192.0.2.1", 8083) == "c1");
        REQUIRE(pair.network.del("c1", ports({mapping(8080, 80)})).ok());
        CHECK(pair.at("192.0.2.1", 8083) == "--");
        CHECK_MESSAGE(elements_of("c1").empty(), elements_of("c1"));
        CHECK(pair.at("192.0.2.1", 8081) == "c2");
    }
}

TEST_CASE("portmap: a second ADD that shares no key with the first leaves nothing of it") {
    Pair pair(json{{"snat", false}});
    pair.add("c1", ports({mapping(8080, 80)}));
    const json again = pair.network.config(1, pair.network.results["c1 eth0"], ports({mapping(8081, 80)}));
    REQUIRE(invoke({.plugin = "portmap", .config = again, .netns = pair.c1}).ok());
    CHECK(pair.at("192.0.2.1", 8080) == "--");
    CHECK(pair.at("192.0.2.1", 8081) == "c1");
}

TEST_CASE("portmap: DEL of a container without mappings changes nothing") {
    Pair pair;
    pair.add("c1", ports({mapping(8080, 80)}));
    pair.add("c2", json::object());
    const json config = pair.network.config(1, pair.network.results["c2 eth0"], json::object());
    const std::string before = sh("nft list ruleset");
    CHECK(invoke({.plugin = "portmap", .command = "DEL", .config = config, .id = "c2", .netns = pair.c2}).ok());
    CHECK(sh("nft list ruleset") == before);
}

TEST_CASE("portmap: CHECK has nothing to say of a container that no mapping leads to") {
    World world;
    const std::string c1 = world.netns("c1");
    json config = Network(bridge_portmap_list()).config(1, nullptr, ports({mapping(8080, 80)}));
    config["prevResult"] = {{"cniVersion", "1.0.0"}, {"interfaces", {{{"name", "eth0"}, {"sandbox", c1}}}}};
    for (const std::string command : {"ADD", "CHECK", "DEL"})
        CHECK(invoke({.plugin = "portmap", .command = command, .config = config, .netns = c1}).ok());
}

TEST_CASE("portmap: GC goes on after a listing that failed, and tells of it") {
    Pair pair(json::object(), "1.1.0");
    pair.add("c1", ports({mapping(8080, 80)}));
    pair.add("c2", ports({mapping(8081, 80, "tcp", "192.0.2.1")}));
    REQUIRE_FALSE(elements_of("c2").empty());
    json config = pair.network.config(1, nullptr, json::object());
    config["cni.dev/valid-attachments"] = json::array();
    const std::vector<std::string> broken = {"strace",     "-qq", "-o",
                                             "/run/trace", "-e",  "inject=sendto:error=EIO:when=1"};
    const Answer answer =
        invoke({.plugin = "portmap", .command = "GC", .config = config, .id = "", .ifname = "", .wrapper = broken});
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "list set inet cnative hostports4"), answer.out);
    CHECK_MESSAGE(elements_of("c2").empty(), elements_of("c2"));
    CHECK(invoke({.plugin = "portmap", .command = "GC", .config = config, .id = "", .ifname = ""}).ok());
    CHECK_MESSAGE(elements_of("c1").empty(), elements_of("c1"));
}

TEST_CASE("portmap: STATUS is silent, and names what the kernel lacks") {
    World world;
    const json config = Network(bridge_portmap_list(json::object(), "1.1.0")).config(1, nullptr, json::object());
    const auto status = [&](const std::vector<std::string>& wrapper) {
        return invoke(
            {.plugin = "portmap", .command = "STATUS", .config = config, .id = "", .ifname = "", .wrapper = wrapper});
    };
    const Answer well = status({});
    CHECK_MESSAGE(well.ok(), well.out);
    CHECK(well.out.empty());
    CHECK_FALSE(contains(sh("nft list ruleset"), "table"));
    const Answer lacking =
        status({"strace", "-qq", "-o", "/run/trace", "-e", "inject=socket:error=EPROTONOSUPPORT:when=1+"});
    CHECK(lacking.code() == 50);
    CHECK_MESSAGE(contains(lacking.msg(), "CONFIG_"), lacking.out);
}
