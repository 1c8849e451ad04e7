// SPDX-License-Identifier: Apache-2.0
// portmap: ranges of ports in one entry, hostPortEnd.
#include <doctest/doctest.h>

#include <fstream>

#include "invoke.h"
#include "world.h"

using namespace test;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

json range(int first, int last, const std::string& protocol = "tcp", const std::string& host_ip = {}) {
    json one = {{"hostPort", first}, {"containerPort", first}, {"hostPortEnd", last}, {"protocol", protocol}};
    if (!host_ip.empty())
        one["hostIP"] = host_ip;
    return one;
}

json mapping(int host, int container) {
    return {{"hostPort", host}, {"containerPort", container}, {"protocol", "tcp"}};
}

json ports(std::initializer_list<json> mappings) {
    return {{"portMappings", json(mappings)}};
}

// Two containers on one bridge, the first with mappings and servers, and a host outside.
struct Stage {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network;
    Server first{c1, "tcp", 20000, "first"}, last{c1, "tcp", 29999, "last"}, udp{c1, "udp", 25000, "udp"};

    explicit Stage(const json& mappings, const json& keys = json::object(), const std::string& version = "1.0.0")
        : network(bridge_portmap_list(keys, version)) {
        const Answer added = network.add("c1", mappings);
        REQUIRE_MESSAGE(added.ok(), added.out);
    }
    [[nodiscard]] std::string asked(int port, const std::string& address = "192.0.2.1") const {
        std::string answer;
        eventually([&] { return !(answer = ask(outside, "tcp", address, port).value_or("")).empty(); },
                   std::chrono::seconds(10));
        return answer.substr(0, answer.find(' '));
    }
};

std::string range_elements() {
    return sh("nft list ruleset | grep -E '(tcp|udp|sctp) [.] [0-9]+-[0-9]+' || true");
}

// What portmap gets for a container that nobody made, with the address 10.9.0.<number>.
json bare_config(int number, const json& mappings) {
    const json result = {{"cniVersion", "1.0.0"},
                         {"interfaces", {{{"name", "eth0"}, {"sandbox", "/run/netns/x"}}}},
                         {"ips", {{{"address", "10.9.0." + std::to_string(number) + "/24"}, {"interface", 0}}}}};
    return {{"cniVersion", "1.0.0"}, {"name", "net"},        {"type", "portmap"},
            {"snat", false},         {"prevResult", result}, {"runtimeConfig", mappings}};
}

Answer bare(const std::string& command, int number, const json& mappings, const std::string& network = "net") {
    json config = bare_config(number, mappings);
    config["name"] = network;
    return invoke({.plugin = "portmap",
                   .command = command,
                   .config = config,
                   .id = "c" + std::to_string(number),
                   .netns = "/run/netns/x"});
}

} // namespace

TEST_CASE("portmap range: the first and the last port lead to the same ports of the container") {
    const Stage stage(ports({range(20000, 29999), range(25000, 25001, "udp")}));
    CHECK(stage.asked(20000) == "first");
    CHECK(stage.asked(29999) == "last");
    CHECK(stage.asked(20000, "2001:db8::1") == "first");
    CHECK(ask(stage.outside, "udp", "192.0.2.1", 25000).value_or("") == "udp 192.0.2.2");
    CHECK(ask("", "tcp", "127.0.0.1", 29999).value_or("").starts_with("last"));
    CHECK(ask(stage.c1, "tcp", "10.9.0.1", 20000).value_or("").starts_with("first")); // hairpin
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 19999));
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 30000));
}

TEST_CASE("portmap range: ten thousand ports are one element a family") {
    const Stage stage(ports({range(20000, 29999)}));
    const std::string elements = range_elements();
    CHECK_MESSAGE(std::count(elements.begin(), elements.end(), '\n') == 2, elements);
}

TEST_CASE("portmap range: it leads where it led after the ruleset was saved and loaded by nft") {
    const Stage stage(ports({range(20000, 29999)}));
    sh("nft list ruleset >/run/ruleset; nft flush ruleset; nft -f /run/ruleset");
    CHECK(stage.asked(29999) == "last");
    CHECK(stage.asked(20000, "2001:db8::1") == "first");
}

TEST_CASE("portmap range: hostIP binds it to one address, and wins over a port on all of them") {
    const Stage stage(ports({range(20000, 29999, "tcp", "192.0.2.1"), mapping(20000, 29999)}));
    CHECK(stage.asked(20000) == "first");
    CHECK(ask("", "tcp", "10.9.0.1", 20000).value_or("").starts_with("last"));
    CHECK_FALSE(ask("", "tcp", "10.9.0.1", 29999));
}

TEST_CASE("portmap range: conditions let some sources through") {
    const Stage stage(ports({range(20000, 29999)}),
                      {{"backend", "nftables"}, {"conditionsV4", {"ip", "saddr", "!=", "192.0.2.2"}}});
    CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 20000));
    CHECK(ask("", "tcp", "10.9.0.1", 20000).value_or("").starts_with("first"));
    CHECK(ask("", "tcp", "10.9.0.1", 29999).value_or("").starts_with("last"));
}

TEST_CASE("portmap range: whoever overlaps it is refused, the owner and the ports named, and nothing is left") {
    struct Try {
        const char* what;
        json there, wanted;
        const char* taken;
    };
    const std::vector<Try> tries = {
        {"port in a range", range(8000, 8100), mapping(8050, 80), "host port 8050/tcp is"},
        {"range over a port", mapping(8050, 80), range(8000, 8010 + 50), "host port 8050/tcp is"},
        {"small range over a port", mapping(8005, 80), range(8000, 8010), "host port 8005/tcp is"},
        {"the same", range(8000, 8100), range(8000, 8100), "host ports 8000-8100/tcp are"},
        {"lower end", range(8000, 8100), range(7000, 8000), "host port 8000/tcp is"},
        {"upper end", range(8000, 8100), range(8090, 9000), "host ports 8090-8100/tcp are"},
        {"within", range(8000, 8100), range(8010, 8020), "host ports 8010-8020/tcp are"},
        {"around", range(8000, 8010), range(7000, 9000), "host ports 8000-8010/tcp are"},
        {"around, at one address", range(8000, 8010, "tcp", "192.0.2.1"), range(7000, 9000, "tcp", "192.0.2.1"),
         "host ports 192.0.2.1:8000-8010/tcp are"},
    };
    for (const Try& one : tries) {
        CAPTURE(one.what);
        World world;
        REQUIRE(bare("ADD", 1, ports({one.there})).ok());
        const Answer refused = bare("ADD", 2, ports({one.wanted}));
        CHECK(refused.status == 1);
        CHECK_MESSAGE(contains(refused.msg(), std::string(one.taken) + " taken by container c1 (network net)"),
                      refused.out);
        CHECK(sh("nft list ruleset | grep net/c2 || true").empty());
        CHECK(contains(sh("nft list ruleset"), "net/c1"));
    }
}

TEST_CASE("portmap range: what does not overlap stands side by side") {
    World world;
    const std::vector<json> all = {range(8000, 8009),
                                   mapping(8010, 80),
                                   range(8011, 9000),
                                   range(8000, 9000, "udp"),
                                   mapping(7999, 80),
                                   range(8000, 8100, "tcp", "192.0.2.1"),
                                   range(8050, 8060, "tcp", "192.0.2.3"),
                                   range(9001, 9100, "tcp", "::")};
    for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(all[i].dump());
        CHECK(bare("ADD", static_cast<int>(i) + 2, ports({all[i]})).ok());
    }
}

TEST_CASE("portmap range: of a port and a range that come at the same time exactly one stays") {
    World world;
    std::ofstream("/run/range") << bare_config(2, ports({range(8000, 8100)})).dump();
    std::ofstream("/run/port") << bare_config(3, ports({mapping(8050, 80)})).dump();
    const std::string call = "CNI_CONTAINERID=c$1 CNI_NETNS=/run/netns/x CNI_IFNAME=eth0 CNI_PATH=/x " + bin_dir() +
                             "/portmap <$2 >/dev/null 2>&1 && echo c$1 ";
    for (int round = 0; round < 20; ++round) {
        const std::string winners = sh("one() { CNI_COMMAND=ADD " + call +
                                       "; }; one 2 /run/range >/run/a & one 3 /run/port "
                                       ">/run/b & wait; cat /run/a /run/b");
        CHECK_MESSAGE((winners == "c2\n" || winners == "c3\n"), winners);
        const std::string left = sh("nft list ruleset | grep -o 'net/c[23]' | sort -u | cut -d/ -f2");
        CHECK(left == winners);
        REQUIRE(bare("DEL", 2, ports({range(8000, 8100)})).ok());
        REQUIRE(bare("DEL", 3, ports({mapping(8050, 80)})).ok());
    }
}

TEST_CASE("portmap range: many ranges at once, next to each other, all come in") {
    World world;
    for (int i = 0; i < 20; ++i)
        std::ofstream("/run/config" + std::to_string(i))
            << bare_config(i + 2, ports({range(8000 + i * 100, 8099 + i * 100)})).dump();
    sh("for i in $(seq 0 19); do CNI_COMMAND=ADD CNI_CONTAINERID=c$i CNI_NETNS=/run/netns/x CNI_IFNAME=eth0 "
       "CNI_PATH=/x " +
       bin_dir() +
       "/portmap </run/config$i >/run/out$i 2>&1 & pids=\"$pids $!\"; done; for p in $pids; do wait $p || "
       "exit 1; done");
    const std::string elements = range_elements();
    CHECK_MESSAGE(std::count(elements.begin(), elements.end(), '\n') == 20, elements);
}

TEST_CASE("portmap range: a container on two networks keeps the first one's") {
    World world;
    REQUIRE(bare("ADD", 2, ports({range(8000, 8100)}), "one").ok());
    const Answer second = bare("ADD", 2, ports({range(8000, 8100)}), "two");
    CHECK_MESSAGE(second.ok(), second.out);
    CHECK(contains(range_elements(), "one/c2/eth0"));
    CHECK(bare("CHECK", 2, ports({range(8000, 8100)}), "two").ok());
    REQUIRE(bare("DEL", 2, ports({range(8000, 8100)}), "two").ok());
    CHECK(contains(range_elements(), "one/c2/eth0"));
    REQUIRE(bare("DEL", 2, ports({range(8000, 8100)}), "one").ok());
    CHECK(range_elements().empty());
}

TEST_CASE("portmap range: CHECK is content, and names what has gone or has another size") {
    const json mappings = ports({range(20000, 29999)});
    Stage stage(mappings);
    CHECK(stage.network.check("c1", mappings).ok());
    const Answer other =
        invoke({.plugin = "portmap",
                .command = "CHECK",
                .config = stage.network.config(1, stage.network.results["c1 eth0"], ports({range(20000, 20010)})),
                .netns = stage.c1});
    CHECK_MESSAGE(contains(other.msg(), "host port 20000-20010/tcp leads elsewhere"), other.out);
    sh("nft delete element inet cnative hostranges4 '{ tcp . 20000-29999 }'");
    const Answer gone = stage.network.check("c1", mappings);
    CHECK_MESSAGE(contains(gone.msg(), "host port 20000-29999/tcp is missing"), gone.out);
}

TEST_CASE("portmap range: DEL closes it and forgets its udp flows, with or without mappings and prevResult") {
    for (const int how : {0, 1, 2}) {
        CAPTURE(how);
        const json mappings = ports({range(20000, 29999), range(25000, 25001, "udp")});
        Stage stage(mappings);
        REQUIRE(ask(stage.outside, "udp", "192.0.2.1", 25000, 40001));
        const json config = stage.network.config(1, how == 1 ? json() : stage.network.results["c1 eth0"],
                                                 how == 2 ? json::object() : mappings);
        CHECK(invoke({.plugin = "portmap", .command = "DEL", .config = config, .netns = stage.c1}).ok());
        CHECK(range_elements().empty());
        CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 20000));
        CHECK_FALSE(contains(sh("conntrack -L -p udp 2>/dev/null"), "sport=40001"));
    }
}

TEST_CASE("portmap range: a client that sent before it was there reaches the container afterwards") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_portmap_list());
    {
        const Server host("", "udp", 5353, "host");
        REQUIRE(ask(outside, "udp", "192.0.2.1", 5353, 40000) == "host 192.0.2.2");
    }
    const Server server(c1, "udp", 5353, "c1");
    REQUIRE(network.add("c1", ports({range(5000, 6000, "udp")})).ok());
    CHECK(ask(outside, "udp", "192.0.2.1", 5353, 40000) == "c1 192.0.2.2");
}

TEST_CASE("portmap range: GC removes those of what is not valid, and keeps the others") {
    Stage stage(ports({range(20000, 29999)}), json::object(), "1.1.0");
    REQUIRE(stage.network.add("c2", ports({range(30000, 30100)})).ok());
    CHECK(stage.network.gc({{"c1", "eth0"}}).ok());
    CHECK_FALSE(contains(range_elements(), "30000-30100"));
    CHECK(stage.asked(29999) == "last");
}

TEST_CASE("portmap range: an ADD with another range than the one before it leaves none of the old") {
    for (const json& keys :
         {json::object(), json{{"backend", "nftables"}, {"conditionsV4", {"ip", "saddr", "!=", "192.0.2.99"}}}}) {
        CAPTURE(keys.dump());
        Stage stage(ports({range(20000, 20010), mapping(29998, 20000)}), keys);
        const json again = stage.network.config(1, stage.network.results["c1 eth0"], ports({range(20005, 29999)}));
        const Answer answer = invoke({.plugin = "portmap", .config = again, .netns = stage.c1});
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(stage.asked(29999) == "last");
        CHECK_FALSE(ask(stage.outside, "tcp", "192.0.2.1", 20000));
        CHECK_FALSE(contains(sh("nft list ruleset"), "20000"));
        CHECK_FALSE(contains(sh("nft list ruleset"), "29998"));
    }
}

TEST_CASE("portmap range: an ADD killed anywhere is healed by the next, and by DEL") {
    for (int number = 20;; number += 5) {
        CAPTURE(number);
        World world;
        const json config = bare_config(2, ports({range(20000, 29999)}));
        const Answer first = invoke({.plugin = "portmap",
                                     .config = config,
                                     .id = "c2",
                                     .netns = "/run/netns/x",
                                     .wrapper = {FAILAT, std::to_string(number), "KILL"}});
        CHECK(bare("ADD", 2, ports({range(20000, 29999)})).ok());
        CHECK(contains(range_elements(), "20000-29999"));
        CHECK(bare("DEL", 2, ports({range(20000, 29999)})).ok());
        CHECK(range_elements().empty());
        if (first.ok())
            break;
    }
}

TEST_CASE("portmap range: what the kernel cannot map is refused before anything is done") {
    World world;
    json shifted = range(8000, 8010);
    shifted["containerPort"] = 80;
    const Answer answer = bare("ADD", 2, ports({shifted}));
    CHECK(answer.msg() ==
          "failed to parse config: key \"runtimeConfig.portMappings[0].containerPort\" is a number (80): "
          "must be 8000 like hostPort: a range has the same ports on both sides; list ports that change "
          "one by one");
    CHECK(sh("nft list ruleset").empty());
}
