// SPDX-License-Identifier: Apache-2.0
// portmap: conditions of every kind, by who gets through.
#include <doctest/doctest.h>

#include <vector>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

struct Row {
    std::string words; ///< of conditionsV4, separated by blanks
    bool outside;      ///< whether 192.0.2.2, port 40000, gets through to 192.0.2.1:8080, marked 0x15
    bool neighbour;    ///< whether c2, 10.9.0.3, port 50000, does to 10.9.0.1:8080, not marked
};

json split(const std::string& words) {
    json list = json::array();
    for (std::size_t at = 0; at != std::string::npos;) {
        const std::size_t end = words.find(' ', at);
        list.push_back(words.substr(at, end - at));
        at = end == std::string::npos ? end : end + 1;
    }
    return list;
}

void try_each(const std::string& backend, const std::vector<Row>& rows) {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    sh("nft 'add table ip m; add chain ip m pre { type filter hook prerouting priority -150; }; "
       "add rule ip m pre iifname uplink meta mark set 0x15'");
    Network plain(bridge_portmap_list());
    REQUIRE(plain.add("c1").ok());
    REQUIRE(plain.add("c2").ok());
    const Server server(c1, "tcp", 80, "c1");
    for (const Row& row : rows) {
        CAPTURE(row.words);
        Network network(bridge_portmap_list({{"backend", backend}, {"conditionsV4", split(row.words)}}));
        const json config = network.config(1, plain.results["c1 eth0"], ports({mapping(8080, 80)}));
        const Answer answer = invoke({.plugin = "portmap", .config = config, .netns = c1});
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(ask(outside, "tcp", "192.0.2.1", 8080, 40000).has_value() == row.outside);
        CHECK(ask(c2, "tcp", "10.9.0.1", 8080, 50000).has_value() == row.neighbour);
        CHECK(invoke({.plugin = "portmap", .command = "DEL", .config = config, .netns = c1}).ok());
        sh("conntrack -F 2>/dev/null");
    }
}

} // namespace

TEST_CASE("portmap: each kind of condition in iptables words") {
    try_each("iptables", {{"-s 192.0.2.0/24", true, false},
                          {"! --source 192.0.2.0/255.255.255.0", false, true},
                          {"-s 192.0.2.9,10.9.0.0/24", false, true},
                          {"-d 192.0.2.1", true, false},
                          {"! --destination 192.0.2.1/32", false, true},
                          {"-m iprange --src-range 192.0.2.1-192.0.2.9", true, false},
                          {"-m iprange ! --dst-range 192.0.2.1-192.0.2.9", false, true},
                          {"-i uplink", true, false},
                          {"! -i up+", false, true},
                          {"-m tcp --sport 40000", true, false},
                          {"-m tcp ! --sport 39000:41000", false, true},
                          {"-m multiport --sports 1,40000:40001", true, false},
                          {"-m mark --mark 0x15", true, false},
                          {"-m mark ! --mark 0x5/0xf", false, true},
                          {"-m addrtype --dst-type LOCAL -m comment --comment x", true, true},
                          {"-i uplink -s 192.0.2.2", true, false},
                          {"-i uplink -s 192.0.2.3", false, false}});
}

TEST_CASE("portmap: a protocol as a condition, in iptables words") {
    try_each("iptables", {{"-p tcp --sport 40000", true, false}, {"-p udp", false, false}, {"! -p udp", true, true}});
}

TEST_CASE("portmap: each kind of condition in nft words") {
    try_each("nftables", {{"ip saddr 192.0.2.0/24", true, false},
                          {"ip saddr != { 192.0.2.2, 192.0.2.3 }", false, true},
                          {"ip saddr { 192.0.2.9, 10.9.0.3 }", false, true},
                          {"ip daddr 192.0.2.1", true, false},
                          {"ip daddr != 192.0.2.1-192.0.2.9", false, true},
                          {"iifname \"uplink\"", true, false},
                          {"iifname != \"up*\"", false, true},
                          {"tcp sport 40000", true, false},
                          {"tcp sport != 39000-41000", false, true},
                          {"th sport { 1, 40000-40001 }", true, false},
                          {"udp sport 40000", false, false},
                          {"meta l4proto != udp", true, true},
                          {"ip protocol tcp iifname br0", false, true},
                          {"meta mark 0x15", true, false},
                          {"mark and 0xf != 5", false, true},
                          {"ip saddr 192.0.2.2 tcp sport 40000 meta mark 0x15", true, false},
                          {"ip saddr 192.0.2.2 meta mark 0x16", false, false}});
}
