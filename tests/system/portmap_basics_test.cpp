// SPDX-License-Identifier: Apache-2.0
// portmap on a bridge: who reaches a mapped port from where, who may have it, and how it goes away.
#include <sstream>

#include <doctest/doctest.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

// Two containers on one bridge, the first with mappings and a server, and a host outside.
struct Stage {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network;
    Server tcp{c1, "tcp", 80, "c1"}, udp{c1, "udp", 53, "c1"};

    explicit Stage(const json& mappings, const json& keys = json::object()) : network(bridge_portmap_list(keys)) {
        const Answer first = network.add("c1", mappings);
        REQUIRE_MESSAGE(first.ok(), first.out);
        REQUIRE(network.add("c2").ok());
    }
};

bool answers(const std::string& netns, const std::string& protocol, const std::string& address, int port) {
    return eventually([&] { return ask(netns, protocol, address, port).value_or("").starts_with("c1 "); });
}

std::string own_elements() {
    return sh("nft list ruleset | grep net/c1/eth0 || true");
}

} // namespace

TEST_CASE("portmap: a tcp port is reached from everywhere, over IPv4") {
    const Stage stage(ports({mapping(8080, 80)}));
    CHECK(answers("", "tcp", "127.0.0.1", 8080));
    CHECK(answers("", "tcp", "192.0.2.1", 8080));
    CHECK(answers("", "tcp", "10.9.0.1", 8080));
    CHECK(answers(stage.c2, "tcp", "10.9.0.1", 8080));
    CHECK(answers(stage.c1, "tcp", "10.9.0.1", 8080));
    CHECK(answers(stage.outside, "tcp", "192.0.2.1", 8080));
}

TEST_CASE("portmap: a tcp port is reached from everywhere, over IPv6") {
    const Stage stage(ports({mapping(8080, 80)}));
    CHECK(answers("", "tcp", "2001:db8::1", 8080));
    CHECK(answers(stage.c2, "tcp", "fd09::1", 8080));
    CHECK(answers(stage.c1, "tcp", "fd09::1", 8080));
    CHECK(answers(stage.outside, "tcp", "2001:db8::1", 8080));
}

TEST_CASE("portmap: a udp port is reached from outside and from the host") {
    const Stage stage(ports({mapping(5353, 53, "udp")}));
    CHECK(answers(stage.outside, "udp", "192.0.2.1", 5353));
    CHECK(answers("", "udp", "127.0.0.1", 5353));
    CHECK(answers(stage.outside, "udp", "2001:db8::1", 5353));
}

TEST_CASE("portmap: outside sources are not masqueraded, without masqAll") {
    const Stage stage(ports({mapping(8080, 80)}));
    CHECK(ask(stage.outside, "tcp", "192.0.2.1", 8080).value_or("") == "c1 192.0.2.2");
}

TEST_CASE("portmap: masqAll masquerades outside sources too") {
    const Stage stage(ports({mapping(8080, 80)}), {{"masqAll", true}});
    CHECK(ask(stage.outside, "tcp", "192.0.2.1", 8080).value_or("") == "c1 10.9.0.1");
}

TEST_CASE("portmap: snat off leaves the container's own way out of it") {
    const Stage stage(ports({mapping(8080, 80)}), {{"snat", false}});
    CHECK(answers(stage.outside, "tcp", "192.0.2.1", 8080));
    CHECK_FALSE(ask("", "tcp", "127.0.0.1", 8080));
}

TEST_CASE("portmap: hostIP binds the port to one address") {
    const Stage stage(ports({mapping(8080, 80, "tcp", "192.0.2.1"), mapping(8081, 80, "tcp", "127.0.0.1")}));
    CHECK(answers(stage.outside, "tcp", "192.0.2.1", 8080));
    CHECK_FALSE(ask(stage.c2, "tcp", "10.9.0.1", 8080));
    CHECK(answers("", "tcp", "127.0.0.1", 8081));
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 8081));
}

TEST_CASE("portmap: hostIP of one family maps nothing in the other") {
    const Stage stage(ports({mapping(8080, 80, "tcp", "0.0.0.0"), mapping(8081, 80, "tcp", "2001:db8::1")}));
    CHECK(answers(stage.outside, "tcp", "192.0.2.1", 8080));
    CHECK_FALSE(ask(stage.outside, "tcp", "2001:db8::1", 8080));
    CHECK(answers(stage.outside, "tcp", "2001:db8::1", 8081));
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 8081));
}

TEST_CASE("portmap: keys are read in containerd's spelling") {
    const Stage stage(ports({{{"HostPort", 8080}, {"ContainerPort", 80}, {"Protocol", "tcp"}, {"HostIP", ""}}}));
    CHECK(answers(stage.outside, "tcp", "192.0.2.1", 8080));
}

TEST_CASE("portmap: traffic to a mapped port number of another host is not taken") {
    const Stage stage(ports({mapping(8080, 80)}));
    const Server other(stage.outside, "tcp", 8080, "outside");
    CHECK(ask(stage.c2, "tcp", "192.0.2.2", 8080).value_or("") == "outside 192.0.2.1");
    CHECK(ask("", "tcp", "192.0.2.2", 8080).value_or("") == "outside 192.0.2.1");
}

TEST_CASE("portmap: a container cannot reach what listens on the host's loopback address") {
    const Stage stage(ports({mapping(8080, 80)}));
    const Server local("", "tcp", 9999, "host");
    REQUIRE(sh("cat /proc/sys/net/ipv4/conf/br0/route_localnet") == "1\n");
    // The container gives up its own loopback and sends 127.0.0.1 to its gateway.
    sh("echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet; ip addr del 127.0.0.1/8 dev lo; "
       "ip route add 127.0.0.1 via 10.9.0.1 dev eth0 src 10.9.0.3",
       stage.c2);
    CHECK_FALSE(ask(stage.c2, "tcp", "127.0.0.1", 9999));
}

// The guard of route_localnet was put on lo, for the way to such an address leads there: the host could not reach
// 127.0.0.1 any more, until somebody found the set.
TEST_CASE("portmap: a container with an address of the host's own leaves the host's loopback alone") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip link set br0 up; ip addr add 10.9.0.1/24 dev br0");
    const Server local("", "tcp", 9999, "host"), mapped("", "tcp", 80, "host");
    for (const std::string address : {"10.9.0.1/24", "127.0.0.1/8"}) {
        const Answer answer = invoke({.plugin = "portmap",
                                      .command = "ADD",
                                      .config = {{"cniVersion", "1.0.0"},
                                                 {"name", "net"},
                                                 {"type", "portmap"},
                                                 {"prevResult", {{"ips", {{{"address", address}}}}}},
                                                 {"runtimeConfig", ports({mapping(8080, 80)})}},
                                      .netns = "/run/netns/c1"});
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(ask("", "tcp", "127.0.0.1", 9999).value_or("").starts_with("host "));
        CHECK(ask("", "tcp", "127.0.0.1", 8080).value_or("").starts_with("host "));
    }
}

TEST_CASE("portmap: conditions in nft words let some sources through") {
    const Stage stage(ports({mapping(8080, 80)}),
                      {{"backend", "nftables"}, {"conditionsV4", {"ip", "saddr", "!=", "192.0.2.2"}}});
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 8080));
    CHECK(answers(stage.c2, "tcp", "10.9.0.1", 8080));
    CHECK(answers(stage.outside, "tcp", "2001:db8::1", 8080));
}

TEST_CASE("portmap: conditions in iptables words let some sources through") {
    const Stage stage(ports({mapping(8080, 80)}), {{"conditionsV4", {"!", "-s", "192.0.2.2/32"}}});
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 8080));
    CHECK(answers(stage.c2, "tcp", "10.9.0.1", 8080));
}

TEST_CASE("portmap: a condition that is not understood is refused by name") {
    World world;
    world.netns("c1");
    Network network(bridge_portmap_list({{"conditionsV4", {"-m", "conntrack", "--ctstate", "NEW"}}}));
    const Answer answer = network.add("c1", ports({mapping(8080, 80)}));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "conditionsV4"), answer.out);
    CHECK_MESSAGE(contains(answer.msg(), "conntrack"), answer.out);
}

TEST_CASE("portmap: a host port that another container has is refused, its owner named, and nothing is left") {
    Stage stage(ports({mapping(8080, 80)}));
    stage.world.netns("c3");
    const Answer answer = stage.network.add("c3", ports({mapping(7070, 80), mapping(8080, 80)}));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "host port 8080/tcp is taken by container c1 (network net)"), answer.out);
    CHECK(sh("nft list ruleset | grep net/c3/eth0 | grep -v masq || true").find("7070") == std::string::npos);
    CHECK(answers(stage.outside, "tcp", "192.0.2.1", 8080));
}

TEST_CASE("portmap: the same port number of another protocol is free") {
    Stage stage(ports({mapping(8080, 80)}));
    stage.world.netns("c3");
    CHECK(stage.network.add("c3", ports({mapping(8080, 53, "udp")})).ok());
}

TEST_CASE("portmap: no mappings, no netlink socket") {
    World world;
    world.netns("c1");
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1").ok());
    const Answer answer = invoke({.plugin = "portmap",
                                  .config = network.config(1, network.results["c1 eth0"], json::object()),
                                  .netns = "/run/netns/c1",
                                  .wrapper = {"strace", "-f", "-o", "/run/trace", "-e", "trace=socket,execve"}});
    CHECK(answer.ok());
    CHECK(answer.document() == network.results["c1 eth0"]);
    CHECK(sh("grep -c -e AF_NETLINK -e 'execve.*iptables' /run/trace || true") == "0\n");
}

TEST_CASE("portmap: a client that sent before the mapping was there reaches the container afterwards") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    // The host itself answers on the port first; its flow is then in the kernel's table.
    {
        const Server host("", "udp", 5353, "host");
        REQUIRE(ask(outside, "udp", "192.0.2.1", 5353, 40000) == "host 192.0.2.2");
    }
    const Server server(c1, "udp", 53, "c1");
    REQUIRE(network.add("c1", ports({mapping(5353, 53, "udp")})).ok());
    CHECK(ask(outside, "udp", "192.0.2.1", 5353, 40000) == "c1 192.0.2.2");
}

TEST_CASE("portmap: DEL forgets the container's udp flows and leaves those to other hosts") {
    Stage stage(ports({mapping(5353, 53, "udp")}));
    const Server other(stage.outside, "udp", 5353, "outside");
    REQUIRE(ask(stage.outside, "udp", "192.0.2.1", 5353, 40001));
    REQUIRE(ask(stage.c2, "udp", "192.0.2.2", 5353, 40002) == "outside 192.0.2.1");
    REQUIRE(stage.network.del("c1", ports({mapping(5353, 53, "udp")})).ok());
    const std::string flows = sh("conntrack -L -p udp 2>/dev/null");
    CHECK_MESSAGE(!contains(flows, "sport=40001"), flows);
    CHECK_MESSAGE(contains(flows, "sport=40002"), flows);
}

TEST_CASE("portmap: DEL closes the port and leaves no element") {
    Stage stage(ports({mapping(8080, 80), mapping(5353, 53, "udp", "192.0.2.1")}));
    REQUIRE(answers(stage.outside, "tcp", "192.0.2.1", 8080));
    REQUIRE(stage.network.del("c1", ports({mapping(8080, 80), mapping(5353, 53, "udp", "192.0.2.1")})).ok());
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 8080));
    CHECK(own_elements().empty());
}

TEST_CASE("portmap: DEL without mappings, without prevResult, without namespace, twice") {
    for (const int how : {0, 1, 2, 3}) {
        CAPTURE(how);
        Stage stage(ports({mapping(8080, 80)}));
        json config = stage.network.config(1, how == 1 ? json() : stage.network.results["c1 eth0"],
                                           how == 0 ? json::object() : ports({mapping(8080, 80)}));
        if (how == 3)
            config["runtimeConfig"] = "broken";
        const Call del{.plugin = "portmap", .command = "DEL", .config = config, .netns = how == 2 ? "" : stage.c1};
        CHECK(invoke(del).ok());
        CHECK(sh("nft list ruleset | grep -e 8080 -e 'hairpin.*net/c1' || true").empty());
        CHECK(invoke(del).ok());
    }
}

TEST_CASE("portmap: DEL before any ADD") {
    World world;
    const std::string c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    CHECK(invoke({.plugin = "portmap",
                  .command = "DEL",
                  .config = network.config(1, nullptr, ports({mapping(8080, 80)})),
                  .netns = c1})
              .ok());
}

TEST_CASE("portmap: CHECK is content, and names what has gone") {
    Stage stage(ports({mapping(8080, 80)}));
    CHECK(stage.network.check("c1", ports({mapping(8080, 80)})).ok());
    sh("nft delete element inet cnative hostports4 '{ tcp . 8080 }'");
    const Answer answer = stage.network.check("c1", ports({mapping(8080, 80)}));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "8080/tcp"), answer.out);
}

TEST_CASE("portmap: CHECK notices each chain that was emptied, and an ADD after the schema was flushed fills it") {
    const json mapped = ports({mapping(8080, 80)});
    Stage stage(mapped, {{"backend", "nftables"}, {"conditionsV4", {"ip", "saddr", "!=", "192.0.2.99"}}});
    stage.world.netns("c3");
    const std::string chains = sh("nft -j list chains | jq -r '.nftables[].chain? | select(. and .table == \"cnative\" "
                                  "and .family == \"inet\" and (.name | test(\"^masq\") | not)) | .name'");
    int count = 0;
    std::istringstream names(chains);
    for (std::string chain; std::getline(names, chain); ++count) {
        CAPTURE(chain);
        REQUIRE(stage.network.check("c1", mapped).ok());
        sh("nft flush chain inet cnative " + chain);
        const Answer answer = stage.network.check("c1", mapped);
        CHECK_MESSAGE(contains(answer.msg(), "chain " + chain + " of table inet cnative has 0 of its "), answer.out);
        sh("nft 'flush map inet cnative schema; flush set inet cnative hairpin_within4_subnets; "
           "flush set inet cnative hairpin_within6_subnets'");
        if (chain.starts_with("cond")) // one that is there is taken for whole
            sh("nft 'flush map inet cnative conditions4; delete chain inet cnative " + chain + "'");
        REQUIRE(stage.network.add("c3", ports({mapping(8081, 80)})).ok());
        REQUIRE(stage.network.del("c3", ports({mapping(8081, 80)})).ok());
    }
    CHECK_MESSAGE(count == 8, chains);
}

TEST_CASE("portmap: 200 mappings of one container") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    json many = json::array();
    for (int port = 20000; port < 20200; ++port)
        many.push_back(mapping(port, 80));
    const Server server(c1, "tcp", 80, "c1");
    REQUIRE(network.add("c1", {{"portMappings", many}}).ok());
    CHECK(answers(outside, "tcp", "192.0.2.1", 20199));
    REQUIRE(network.del("c1", {{"portMappings", many}}).ok());
    CHECK(own_elements().empty());
}

TEST_CASE("portmap: config errors keep the Go suite's words") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = {{"cniVersion", "1.0.0"},
                         {"interfaces", {{{"name", "eth0"}, {"sandbox", c1}}}},
                         {"ips", {{{"address", "10.9.0.2/24"}, {"interface", 0}}}}};
    const auto refusal = [&](const json& more, bool with_result = true) {
        json config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "portmap"}};
        if (with_result)
            config["prevResult"] = result;
        config.update(more);
        return invoke({.plugin = "portmap", .config = config, .netns = c1}).msg();
    };
    const auto runtime = [](const json& one) { return json{{"runtimeConfig", {{"portMappings", {one}}}}}; };
    CHECK(refusal(json::object(), false) == "must be called as chained plugin");
    CHECK(refusal(runtime(mapping(8080, 0))) == "failed to parse config: Invalid container port number: 0");
    CHECK(refusal(runtime(mapping(-1, 80))) == "failed to parse config: Invalid host port number: -1");
    CHECK(refusal({{"markMasqBit", 32}}) == "failed to parse config: MasqMarkBit must be between 0 and 31");
    CHECK(refusal({{"markMasqBit", 5}, {"externalSetMarkChain", "X"}}) ==
          "failed to parse config: Cannot specify externalSetMarkChain and markMasqBit");
}

TEST_CASE("portmap: prevResult passes through in every version") {
    World world;
    const std::string c1 = world.netns("c1");
    for (const std::string version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
        CAPTURE(version);
        json ip = {{"address", "10.9.0.2/24"}, {"gateway", "10.9.0.1"}, {"interface", 0}};
        if (version < "1")
            ip["version"] = "4";
        const json result = {{"cniVersion", version},
                             {"interfaces", {{{"name", "eth0"}, {"sandbox", c1}}}},
                             {"ips", {ip}},
                             {"routes", {{{"dst", "0.0.0.0/0"}}}},
                             {"dns", {{"nameservers", {"192.0.2.53"}}}}};
        const Answer answer =
            invoke({.plugin = "portmap",
                    .config = {{"cniVersion", version}, {"name", "net"}, {"type", "portmap"}, {"prevResult", result}},
                    .netns = c1});
        CHECK(answer.document() == result);
    }
}

TEST_CASE("portmap: GC removes the ports of what is not valid, and keeps the others") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    world.netns("c2");
    Network network(bridge_portmap_list(json::object(), "1.1.0"));
    const Server server(c1, "tcp", 80, "c1");
    REQUIRE(network.add("c1", ports({mapping(8080, 80)})).ok());
    REQUIRE(network.add("c2", ports({mapping(8081, 80)})).ok());
    REQUIRE(contains(sh("nft list ruleset"), "8081"));
    CHECK(network.gc({{"c1", "eth0"}}).ok());
    CHECK_FALSE(contains(sh("nft list ruleset"), "8081"));
    CHECK(sh("nft list ruleset | grep net/c2/eth0 || true").empty());
    CHECK(answers(outside, "tcp", "192.0.2.1", 8080));
}

TEST_CASE("portmap: an ADD killed anywhere is healed by the next, and by DEL") {
    for (int number = 20;; number += 10) {
        CAPTURE(number);
        Stage stage(json::object());
        const json config = stage.network.config(1, stage.network.results["c1 eth0"], ports({mapping(8080, 80)}));
        const Answer first = invoke({.plugin = "portmap",
                                     .config = config,
                                     .netns = stage.c1,
                                     .wrapper = {FAILAT, std::to_string(number), "KILL"}});
        CHECK(invoke({.plugin = "portmap", .config = config, .netns = stage.c1}).ok());
        CHECK(ask("", "tcp", "10.9.0.1", 8080) == "c1 10.9.0.1");
        CHECK(invoke({.plugin = "portmap", .command = "DEL", .config = config, .netns = stage.c1}).ok());
        CHECK_FALSE(contains(sh("nft list ruleset"), "8080"));
        if (first.ok())
            break;
    }
}
