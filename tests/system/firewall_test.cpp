// SPDX-License-Identifier: Apache-2.0
// firewall behind bridge and portmap: who gets through a host that drops what it forwards, and what is left afterwards.
#include <cstdlib>
#include <fstream>

#include <doctest/doctest.h>

#include "firewall_call.h"

using namespace test;

namespace {

json mappings() {
    return {{"portMappings", {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}}}};
}

/// Two containers on a bridge of a host that drops what it forwards, and a host outside that knows the way to them.
struct DropHost {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network;
    Server inner{c1, "tcp", 80, "c1"}, outer{outside, "tcp", 80, "outside"};

    explicit DropHost(const json& keys = json::object()) : network(firewall_list(keys)) {
        drop_forwarded();
        sh("ip route add 10.9.0.0/24 via 192.0.2.1; ip -6 route add fd09::/64 via 2001:db8::1", outside);
        const Answer first = network.add("c1", mappings());
        REQUIRE_MESSAGE(first.ok(), first.out);
        REQUIRE(network.add("c2").ok());
    }
};

/// What the server answers, given a moment: IPv6 neighbours have to find each other first.
std::string answer_to(const std::string& netns, const std::string& address, int port = 80) {
    std::optional<std::string> answer;
    eventually([&] { return (answer = ask(netns, "tcp", address, port)).has_value(); });
    return answer.value_or("nothing");
}

std::string elements() {
    return sh("nft list ruleset | grep -o '[^ ,]* comment \"net/[^\"]*\"' || true");
}

std::string rules_of(const std::string& program) {
    const Output output = run({"sh", "-c", program + " -S"});
    CHECK_MESSAGE(output.err.empty(), output.err);
    return output.out;
}

} // namespace

// The rest was left undone.
TEST_CASE("firewall: DEL takes the addresses back though the ports cannot be, and tells of it") {
    World world;
    world.netns("c1");
    const json config = firewall_config({{"ingressPolicy", "isolated"}});
    REQUIRE(firewall("ADD", config).ok());
    const Answer answer = invoke({.plugin = "firewall",
                                  .command = "DEL",
                                  .config = config,
                                  .netns = "/run/netns/c1",
                                  .wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "trace=sendto", "-e",
                                              "inject=sendto:error=EIO:when=1"}});
    CHECK(answer.code() == 5);
    CHECK_MESSAGE(has(answer.msg(), "input/output error"), answer.out);
    CHECK(!has(sh("nft list table inet cnative"), "net/c1/eth0"));
    CHECK(has(sh("nft list table bridge cnative"), "net/c1/eth0"));
    CHECK(firewall("DEL", config).ok());
    CHECK(!has(sh("nft list ruleset"), "net/c1/eth0"));
}

// It alone of the plugins said nothing: a policy with a typing error is no policy.
TEST_CASE("firewall: an unknown key is named with the nearest known one and ignored") {
    World world;
    world.netns("c1");
    const Answer answer = firewall("ADD", firewall_config({{"ingresPolicy", "isolated"}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.err ==
          "firewall: warning: unknown key \"ingresPolicy\" is ignored; did you mean \"ingressPolicy\"?\n");
}

TEST_CASE("firewall: a container gets out through a host that drops what it forwards, over both IP versions") {
    const DropHost host;
    CHECK(answer_to(host.c1, "192.0.2.2") == "outside 192.0.2.1");
    CHECK(answer_to(host.c1, "2001:db8::2") == "outside 2001:db8::1");
}

TEST_CASE("firewall: without it, the same container does not get out") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    const Server server(outside, "tcp", 80, "outside");
    drop_forwarded();
    Network network(bridge_portmap_list());
    REQUIRE(network.add("c1").ok());
    CHECK_FALSE(ask(c1, "tcp", "192.0.2.2", 80));
    CHECK_FALSE(ask(c1, "tcp", "2001:db8::2", 80));
}

TEST_CASE("firewall: containers on one bridge reach each other on such a host") {
    const DropHost host;
    CHECK(answer_to(host.c2, "10.9.0.2") == "c1 10.9.0.3");
    CHECK(answer_to(host.c2, "fd09::2") == "c1 fd09::3");
}

TEST_CASE("firewall: what comes from outside unasked is still the host's to judge") {
    const DropHost host;
    CHECK_FALSE(ask(host.outside, "tcp", "10.9.0.2", 80));
    CHECK_FALSE(ask(host.outside, "tcp", "fd09::2", 80));
    sh("iptables -P FORWARD ACCEPT; ip6tables -P FORWARD ACCEPT");
    CHECK(answer_to(host.outside, "10.9.0.2") == "c1 192.0.2.2");
    CHECK(answer_to(host.outside, "fd09::2") == "c1 2001:db8::2");
}

TEST_CASE("firewall: a published port is reached through such a host") {
    const DropHost host;
    for (const std::string address : {"192.0.2.1", "2001:db8::1"}) {
        CAPTURE(address);
        CHECK(has(answer_to(host.outside, address, 8080), "c1 "));
    }
}

TEST_CASE("firewall: after DEL nothing of the container gets through, and the others still do") {
    DropHost host;
    REQUIRE(host.network.del("c1", mappings()).ok());
    CHECK(elements().find("net/c1/") == std::string::npos);
    CHECK(answer_to(host.c2, "192.0.2.2") == "outside 192.0.2.1");
}

TEST_CASE("firewall: one rule in FORWARD whatever the number of containers, and iptables list, save and restore it") {
    DropHost host;
    const std::string v4 = rules_of("iptables"), v6 = rules_of("ip6tables");
    for (const std::string& rules : {v4, v6}) {
        CHECK_MESSAGE(has(rules, "-P FORWARD DROP\n"), rules);
        CHECK_MESSAGE(has(rules, "-A FORWARD -m comment --comment \"CNI firewall plugin rules\" -j CNI-FORWARD\n"),
                      rules);
        CHECK_MESSAGE(has(rules, "-A CNI-FORWARD -m comment --comment \"CNI firewall plugin admin overrides\" "
                                 "-j CNI-ADMIN\n-A CNI-FORWARD -m comment --comment \"CNI firewall plugin marks\" "
                                 "-m mark --mark 0xc000000/0xf000000 -j ACCEPT\n"),
                      rules);
    }
    for (const std::string id : {"c3", "c4"}) {
        host.world.netns(id);
        REQUIRE(host.network.add(id).ok());
    }
    CHECK(rules_of("iptables") == v4);
    CHECK(rules_of("ip6tables") == v6);
    CHECK(sh("iptables -L -n -v 2>&1; ip6tables -L -n -v 2>&1").find("ncompatible") == std::string::npos);

    sh("iptables-save > /run/saved; ip6tables-save > /run/saved6; iptables-restore /run/saved; "
       "ip6tables-restore /run/saved6");
    CHECK(rules_of("iptables") == v4);
    CHECK(host.network.check("c1", mappings()).ok());
    CHECK(answer_to(host.c1, "192.0.2.2") == "outside 192.0.2.1");
    host.world.netns("c5");
    REQUIRE(host.network.add("c5").ok()); // finds what was restored
    CHECK(rules_of("iptables") == v4);
}

TEST_CASE("firewall: packets keep the marks they have, and a stranger's mark opens nothing") {
    DropHost host;
    // Another program's marks, on all that is forwarded, before anybody filters: in our bits, and elsewhere.
    const auto mark_with = [](const std::string& value) {
        sh("nft 'table inet other { chain m { type filter hook prerouting priority mangle; }; chain seen { type filter "
           "hook postrouting priority 0; }; }; flush table inet other; add rule inet other m meta mark set " +
           value + "; add rule inet other seen oifname uplink meta mark " + value + " counter'");
    };
    mark_with("0x4001");
    CHECK(answer_to(host.c1, "192.0.2.2") == "outside 192.0.2.1");
    CHECK_FALSE(has(sh("nft list chain inet other seen"), "packets 0 "));
    mark_with("0x0c000000");
    CHECK(answer_to(host.c1, "192.0.2.2") == "outside 192.0.2.1");
    CHECK_FALSE(ask(host.outside, "tcp", "10.9.0.2", 80));
}

TEST_CASE("firewall: the administrator's chain is asked first") {
    for (const std::string chain : {"CNI-ADMIN", "site"}) {
        CAPTURE(chain);
        const DropHost host(chain == "site" ? json{{"iptablesAdminChainName", "site"}} : json::object());
        sh("iptables -A " + chain + " -p tcp --dport 80 -d 192.0.2.2 -j DROP");
        CHECK_FALSE(ask(host.c1, "tcp", "192.0.2.2", 80));
        CHECK(answer_to(host.c1, "2001:db8::2") == "outside 2001:db8::1");
    }
}

TEST_CASE("firewall: an administrator's chain without a FORWARD chain is asked all the same") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    const Server server(outside, "tcp", 80, "outside");
    sh("iptables -N CNI-ADMIN; iptables -A CNI-ADMIN -d 192.0.2.2 -j DROP");
    Network network(firewall_list());
    REQUIRE(network.add("c1").ok());
    CHECK_FALSE(ask(c1, "tcp", "192.0.2.2", 80));
}

TEST_CASE("firewall: on a host without iptables the way is there before they begin to drop") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    const Server server(outside, "tcp", 80, "outside");
    Network network(firewall_list());
    REQUIRE(network.add("c1").ok());
    CHECK(network.check("c1").ok());
    drop_forwarded();
    CHECK(answer_to(c1, "192.0.2.2") == "outside 192.0.2.1");
    CHECK(answer_to(c1, "2001:db8::2") == "outside 2001:db8::1");
    CHECK(network.check("c1").ok());
    REQUIRE(network.del("c1").ok());
    CHECK(elements().empty());
}

TEST_CASE("firewall: CHECK misses nothing when iptables' tables have gone, and with them who drops") {
    World world;
    world.netns("c1");
    REQUIRE(firewall("ADD", firewall_config()).ok());
    sh("nft 'delete table ip filter; delete table ip6 filter'");
    const Answer answer = firewall("CHECK", firewall_config());
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("firewall: an IPv4 container on a host without iptables brings no table for IPv6") {
    World world;
    world.netns("c1");
    json config = firewall_config();
    config["prevResult"]["ips"].erase(1);
    REQUIRE(firewall("ADD", config).ok());
    CHECK(has(rules_of("iptables"), "-j CNI-FORWARD"));
    CHECK_FALSE(has(sh("nft list ruleset"), "table ip6 filter"));
}

TEST_CASE(
    "firewall: a host that drops and has lost its rules is noticed by CHECK, and served by the next ADD for all") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    world.netns("c2");
    const Server server(outside, "tcp", 80, "outside");
    Network network(firewall_list());
    REQUIRE(network.add("c1").ok());
    drop_forwarded();
    sh("iptables -F; ip6tables -F");
    const Answer answer = network.check("c1");
    CHECK_MESSAGE(has(answer.msg(), "expected FORWARD rule [-m comment --comment CNI firewall plugin rules -j "
                                    "CNI-FORWARD] not found"),
                  answer.out);
    json of_v4 = firewall_config(); // of IPv4 alone: the host's IPv6 is seen to all the same
    of_v4["prevResult"]["ips"].erase(1);
    of_v4["prevResult"]["ips"][0]["address"] = "10.9.0.77/24";
    REQUIRE(firewall("ADD", of_v4, "c2").ok());
    CHECK(network.check("c1").ok());
    CHECK(answer_to(c1, "192.0.2.2") == "outside 192.0.2.1");
    CHECK(answer_to(c1, "2001:db8::2") == "outside 2001:db8::1");
}

// nft prints iptables' matches in its own words, without their comments.
TEST_CASE("firewall: rules that were saved and loaded by nft are known again") {
    DropHost host;
    sh("(echo flush ruleset; nft list ruleset) > /run/saved; nft -f /run/saved");
    const std::string loaded = rules_of("iptables");
    const Answer answer = host.network.check("c1", mappings());
    CHECK_MESSAGE(answer.ok(), answer.out);
    host.world.netns("c3");
    REQUIRE(host.network.add("c3").ok());
    CHECK(rules_of("iptables") == loaded);
    CHECK(answer_to(host.c1, "192.0.2.2") == "outside 192.0.2.1");
    sh("iptables -D CNI-FORWARD -m mark --mark 0xc000000/0xf000000 -j ACCEPT; "
       "iptables -A CNI-FORWARD -m mark --mark 0xb000000/0xf000000 -j ACCEPT"); // somebody else's
    CHECK(has(host.network.check("c1", mappings()).msg(), "CNI firewall plugin marks"));
}

TEST_CASE("firewall: what is out of reach is told: iptables-legacy, a FORWARD chain at another priority") {
    World world;
    world.netns("c1");
    sh("iptables-legacy -P FORWARD DROP");
    json config = firewall_config();
    config["prevResult"]["ips"].erase(1);
    Answer answer = firewall("ADD", config);
    REQUIRE(answer.ok());
    CHECK_MESSAGE(has(answer.err, "the rules of iptables-legacy are out of reach"), answer.err);
    CHECK_FALSE(has(sh("nft list ruleset"), "table ip filter"));
    sh("nft 'table ip filter { chain FORWARD { type filter hook forward priority -10; policy drop; }; }'");
    answer = firewall("ADD", config);
    REQUIRE(answer.ok());
    CHECK_MESSAGE(has(answer.err, "chain FORWARD of table ip filter has the priority -10"), answer.err);
}

TEST_CASE("firewall: CHECK names what has gone, and the next ADD brings it back") {
    DropHost host;
    host.world.netns("c3");
    const std::pair<std::string, std::string> losses[] = {
        {"nft delete element inet cnative accepted4 '{ 10.9.0.2 }'",
         "10.9.0.2 is not in set accepted4 of table inet cnative"},
        {"nft flush map inet cnative accepted_owners", "the record of net/c1/eth0 is not in map accepted_owners"},
        {"iptables -F",
         "expected CNI-FORWARD rule [-m comment --comment CNI firewall plugin admin overrides -j CNI-ADMIN] "
         "not found"},
        {"ip6tables -D FORWARD 1",
         "expected FORWARD rule [-m comment --comment CNI firewall plugin rules -j CNI-FORWARD] "
         "not found"},
        {"ip6tables -F FORWARD; ip6tables -F CNI-FORWARD; ip6tables -X CNI-FORWARD", "CNI firewall plugin marks"},
        {"nft 'flush chain inet cnative accepted_mark; delete element inet cnative schema { \"accepted_marks\" }'",
         "the chains of table inet cnative are missing"}};
    for (const auto& [loss, message] : losses) {
        CAPTURE(loss);
        REQUIRE(host.network.check("c1", mappings()).ok());
        sh(loss);
        const json config = host.network.config(2, host.network.results["c1 eth0"], json::object());
        const Answer answer = firewall("CHECK", config);
        CHECK_MESSAGE(has(answer.msg(), message), answer.out);
        REQUIRE(firewall("ADD", config).ok());
        REQUIRE(host.network.add("c3", {}).ok());
        REQUIRE(host.network.del("c3", {}).ok());
    }
    CHECK(host.network.check("c1", mappings()).ok());
}

TEST_CASE("firewall: DEL without prevResult, without namespace, with a broken config, twice, and before any ADD") {
    for (const int how : {0, 1, 2, 3}) {
        CAPTURE(how);
        World world;
        world.netns("c1");
        REQUIRE(firewall("ADD", firewall_config()).ok());
        REQUIRE(has(elements(), "10.9.0.2 comment \"net/c1/eth0\""));
        json config = firewall_config();
        if (how == 0)
            config.erase("prevResult");
        if (how == 2)
            config["ingressPolicy"] = {1, 2};
        if (how == 3)
            config["prevResult"] = "gone";
        const Call del{
            .plugin = "firewall", .command = "DEL", .config = config, .netns = how == 1 ? "" : "/run/netns/c1"};
        CHECK(invoke(del).ok());
        CHECK(elements().empty());
        CHECK(invoke(del).ok());
    }
}

TEST_CASE("firewall: GC removes what is not valid, and keeps the others") {
    World world;
    json other = firewall_config(json::object(), "1.1.0");
    other["prevResult"]["ips"] = {{{"address", "10.9.0.3/24"}, {"interface", 2}}};
    REQUIRE(firewall("ADD", firewall_config(json::object(), "1.1.0"), "c1").ok());
    REQUIRE(firewall("ADD", other, "c2").ok());
    json gc = {{"cniVersion", "1.1.0"},
               {"name", "net"},
               {"type", "firewall"},
               {"cni.dev/valid-attachments", {{{"containerID", "c1"}, {"ifname", "eth0"}}}}};
    CHECK(firewall("GC", gc).ok());
    CHECK(has(elements(), "net/c1/eth0"));
    CHECK_FALSE(has(elements(), "net/c2/eth0"));
    gc["name"] = "another";
    gc["cni.dev/valid-attachments"] = json::array();
    CHECK(firewall("GC", gc).ok());
    CHECK(has(elements(), "net/c1/eth0"));
}

// The kernel hands out a set in parts, and leaves some of it out when others go between two of them; what was left out
// stayed for good.
TEST_CASE("firewall: GC and DEL find all that is stale while elements of others go") {
    World world;
    REQUIRE(firewall("ADD", firewall_config(json::object(), "1.1.0"), "c1").ok());
    const auto batch = [](const std::string& verb, const std::string& network, const std::string& owner, int count) {
        return "seq " + std::to_string(count) + " | awk 'BEGIN { printf \"" + verb +
               " element inet cnative accepted4 {\" } { printf \" " + network + ".%d.%d comment " + owner +
               ",\", $1 / 200, $1 % 200 + 1 } END { print \"}\" }' | sed 's|comment \\([^,]*\\)|comment \"\\1\"|g'";
    };
    sh(batch("add", "10.20", "other/c/eth0", 4000) + " >/run/others; " +
       batch("delete", "10.20", "other/c/eth0", 4000) + " >/run/leave; " + batch("add", "10.30", "net/gone/eth0", 400) +
       " >/run/stale");
    const json gc = {{"cniVersion", "1.1.0"},
                     {"name", "net"},
                     {"type", "firewall"},
                     {"cni.dev/valid-attachments", {{{"containerID", "c1"}, {"ifname", "eth0"}}}}};
    for (const std::string command : {"GC", "DEL"}) {
        for (const std::string answer : {"1", "2", "3", "4"}) { // which of the kernel's it is stopped before
            CAPTURE(command);
            CAPTURE(answer);
            sh("nft -f /run/others; nft -f /run/stale");
            (void)invoke(
                {.plugin = "firewall",
                 .command = command,
                 .config = gc,
                 .id = command == "GC" ? "" : "gone",
                 .ifname = command == "GC" ? "" : "eth0",
                 .wrapper = {
                     "sh", "-c",
                     FAILAT " --call recvmsg " + answer +
                         " STOP \"$0\" >/run/stopped; nft -f /run/leave; kill -CONT $(cat /run/stopped); "
                         "while grep -qs '^State:.[^Z]' /proc/$(cat /run/stopped)/status; do sleep 0.02; done"}});
            CHECK_FALSE(has(elements(), "net/gone/eth0"));
            CHECK(has(elements(), "net/c1/eth0"));
        }
    }
}

TEST_CASE("firewall: STATUS is content") {
    World world;
    const json config = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "firewall"}};
    CHECK(firewall("STATUS", config).ok());
}

TEST_CASE("firewall: prevResult passes through in each of its versions, and older ones are refused") {
    World world;
    for (const std::string version : {"0.4.0", "1.0.0"}) {
        CAPTURE(version);
        const json config = firewall_config(json::object(), version);
        json answer = firewall("ADD", config).document();
        answer.erase("dns"); // empty; 0.4.0 prints it
        CHECK(answer == config["prevResult"]);
    }
    const Answer old = firewall("ADD", {{"cniVersion", "0.3.1"}, {"name", "net"}, {"type", "firewall"}});
    CHECK(old.code() == 1);
    CHECK(old.msg() == "incompatible CNI versions");
}

TEST_CASE("firewall: config errors keep the Go suite's words") {
    World world;
    const auto refusal = [](json config) { return firewall("ADD", config).msg(); };
    json without = firewall_config();
    without.erase("prevResult");
    CHECK(refusal(without) == "missing prevResult from earlier plugin");
    CHECK(firewall("CHECK", without).msg() == "missing prevResult from earlier plugin");
    CHECK(refusal(firewall_config({{"ingressPolicy", "x"}})) == "unknown ingress policy: \"x\"");
    json nowhere = firewall_config({{"ingressPolicy", "same-bridge"}});
    nowhere["prevResult"]["interfaces"] = json::array();
    for (json& ip : nowhere["prevResult"]["ips"])
        ip.erase("interface");
    CHECK(refusal(nowhere) == "interface needs to be set for ingress policy \"same-bridge\", make sure to chain "
                              "\"firewall\" plugin with \"bridge\"");
    json nameless = firewall_config({{"ingressPolicy", "same-bridge"}});
    nameless["prevResult"]["interfaces"][0]["name"] = "";
    CHECK(refusal(nameless) == "got empty bridge name");
    CHECK(has(refusal(firewall_config({{"backend", 5}})), "failed to load netconf: "));
    json older = firewall_config(); // the prefix was there once only
    older["prevResult"]["cniVersion"] = "0.2.0";
    CHECK(has(refusal(older), "could not parse prevResult: could not parse prevResult: result type supports [1.0.0"));
}

TEST_CASE("firewall: a chain or zone name that nobody could have is refused before anything is done") {
    World world;
    for (const json& keys : {json{{"iptablesAdminChainName", "FORWARD"}}, json{{"iptablesAdminChainName", "a b"}},
                             json{{"iptablesAdminChainName", std::string(29, 'a')}}, json{{"firewalldZone", "a\nb"}}}) {
        CAPTURE(keys.dump());
        const Answer answer = firewall("ADD", firewall_config(keys));
        CHECK_MESSAGE(has(answer.msg(), "failed to load netconf: key \"" + keys.items().begin().key() + "\""),
                      answer.out);
        CHECK(sh("nft list ruleset").empty());
    }
}

TEST_CASE("firewall: backend iptables and an unknown one are done by nftables, with a word on stderr") {
    World world;
    for (const std::string backend : {"iptables", "ebtables", "nftables", ""}) {
        CAPTURE(backend);
        const Answer answer = firewall("ADD", firewall_config({{"backend", backend}}));
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(has(answer.err, "backend") == (backend == "iptables" || backend == "ebtables"));
        CHECK(firewall("CHECK", firewall_config({{"backend", backend}})).err.empty());
        CHECK(has(elements(), "net/c1/eth0"));
    }
}

TEST_CASE("firewall: an address that a lost container had is taken over, with a word on stderr") {
    World world;
    REQUIRE(firewall("ADD", firewall_config(), "c1").ok());
    const Answer answer = firewall("ADD", firewall_config(), "c2");
    CHECK(answer.ok());
    CHECK(has(answer.err, "net/c1/eth0"));
    CHECK(has(elements(), "net/c2/eth0"));
    CHECK(firewall("DEL", firewall_config(), "c1").ok());
    CHECK(has(elements(), "net/c2/eth0"));
}

TEST_CASE("firewall: added again with another address, it forgets the one before, and DEL takes all") {
    for (const int number : {1000, 1, 8, 16, 24, 32, 40, 48}) { // the second ADD is killed at this system call
        CAPTURE(number);
        World world;
        REQUIRE(firewall("ADD", firewall_config()).ok());
        json other = firewall_config();
        other["prevResult"]["ips"][0]["address"] = "10.9.0.7/24";
        const Answer second = invoke({.plugin = "firewall",
                                      .config = other,
                                      .netns = "/run/netns/c1",
                                      .wrapper = {FAILAT, std::to_string(number), "KILL"}});
        if (second.ok()) {
            CHECK(has(elements(), "10.9.0.7 comment \"net/c1/eth0\""));
            CHECK(!has(elements(), "10.9.0.2 comment"));
            CHECK(has(elements(), "fd09::2 comment \"net/c1/eth0\""));
        }
        CHECK(firewall("DEL", other).ok());
        CHECK_MESSAGE(elements().empty(), elements());
    }
}

TEST_CASE("firewall: an ADD killed anywhere is healed by the next, and by DEL") {
    for (int number = 20;; number += 8) {
        CAPTURE(number);
        World world;
        drop_forwarded();
        const Answer first = invoke({.plugin = "firewall",
                                     .config = firewall_config(),
                                     .netns = "/run/netns/c1",
                                     .wrapper = {FAILAT, std::to_string(number), "KILL"}});
        CHECK(firewall("ADD", firewall_config()).ok());
        CHECK(firewall("CHECK", firewall_config()).ok());
        CHECK(firewall("DEL", firewall_config()).ok());
        CHECK(elements().empty());
        if (first.ok())
            break;
    }
}

TEST_CASE("firewall: DEL removes the two rules that the Go suite made for each address, and no others") {
    World world;
    if (!works("test -x " + go_dir() + "/firewall && iptables --version | grep -q nf_tables"))
        SKIP_CASE("needs the Go suite and iptables-nft");
    json other = firewall_config();
    other["prevResult"]["ips"] = {{{"address", "10.9.0.3/24"}, {"interface", 2}}};
    const std::string ours = bin_dir();
    setenv("CNI_BIN_DIR", go_dir().c_str(), 1);
    const bool made = firewall("ADD", other, "c2").ok();
    sh("ip6tables -P FORWARD ACCEPT; ip6tables -N CNI-FORWARD; ip6tables -N CNI-ADMIN; ip6tables -A FORWARD -m comment "
       "--comment 'CNI firewall plugin rules' -j CNI-FORWARD; ip6tables -A CNI-FORWARD -m comment --comment 'CNI "
       "firewall "
       "plugin admin overrides' -j CNI-ADMIN");
    sh("iptables -A CNI-FORWARD -s 10.9.0.2 -p tcp --dport 25 -j ACCEPT; iptables -A CNI-FORWARD -s 10.9.0.2 -j DROP");
    const std::string before = rules_of("iptables") + rules_of("ip6tables");
    const bool made_too = firewall("ADD", firewall_config(), "c1").ok();
    setenv("CNI_BIN_DIR", ours.c_str(), 1);
    REQUIRE(made);
    REQUIRE(made_too);
    REQUIRE(has(rules_of("iptables"), "-A CNI-FORWARD -s 10.9.0.2/32 -j ACCEPT"));
    REQUIRE(has(rules_of("ip6tables"), "-A CNI-FORWARD -s fd09::2/128 -j ACCEPT"));

    CHECK(firewall("DEL", firewall_config(), "c1").ok());
    CHECK(rules_of("iptables") + rules_of("ip6tables") == before);
    CHECK_FALSE(has(rules_of("ip6tables"), "fd09::2"));
}

TEST_CASE("firewall: beside the Go suite FORWARD and CNI-FORWARD have each rule once, whoever came first") {
    World world;
    if (!works("test -x " + go_dir() + "/firewall && iptables --version | grep -q nf_tables"))
        SKIP_CASE("needs the Go suite and iptables-nft");
    drop_forwarded();
    const std::string ours = bin_dir();
    for (const std::string& dir : {ours, go_dir(), ours, go_dir()}) {
        setenv("CNI_BIN_DIR", dir.c_str(), 1);
        const bool added = firewall("ADD", firewall_config()).ok();
        setenv("CNI_BIN_DIR", ours.c_str(), 1);
        REQUIRE(added);
    }
    CHECK(sh("iptables -S | grep -c -e '-j CNI-FORWARD'") == "1\n");
    CHECK(sh("iptables -S | grep -c -e '-j CNI-ADMIN'") == "1\n");
    CHECK(sh("iptables -S | grep -c -e '-m mark'") == "1\n");
}

TEST_CASE("firewall: what it makes of our own tables reads back with nft -f to the same text and the same bytecode") {
    World world;
    drop_forwarded();
    REQUIRE(firewall("ADD", firewall_config({{"ingressPolicy", "isolated"}})).ok());
    const std::string list = "nft list table inet cnative; nft list table bridge cnative";
    const std::string code =
        "nft --debug=netlink list ruleset 2>/dev/null | sed -n '/^inet cnative/,$p' | grep -E '^  \\['";
    const std::string text = sh(list), bytecode = sh(code);
    REQUIRE(has(text, "@apart_isolated drop"));
    REQUIRE(has(bytecode, "ct load state"));
    sh("(" + list + ") > /run/ruleset; nft flush ruleset; nft -f /run/ruleset");
    CHECK(sh(list) == text);
    CHECK(sh(code) == bytecode);
}
