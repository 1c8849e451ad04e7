// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <fstream>

#include "invoke.h"
#include "world.h"

using namespace test;

namespace {

// Everything we ever emit: masquerade, spoof check, port maps of both kinds, conditions, both families.
void make_everything(World& world) {
    world.netns("c1");
    world.netns("c2");
    Network plain(bridge_list({{"macspoofchk", true}}));
    REQUIRE(plain.add("c2").ok());
    json list = bridge_portmap_list({{"conditionsV4", {"ip", "saddr", "!=", "10.99.0.0/16", "iifname", "!=", "dummy*"}},
                                     {"conditionsV6", {"ip6", "saddr", "!=", "fd99::/20", "meta", "mark", "!=", "7"}},
                                     {"backend", "nftables"},
                                     {"masqAll", true}});
    Network mapped(list);
    const Answer answer =
        mapped.add("c1", {{"portMappings",
                           {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}},
                            {{"hostPort", 8053}, {"containerPort", 53}, {"protocol", "udp"}, {"hostIP", "192.0.2.1"}},
                            {{"hostPort", 9000}, {"hostPortEnd", 9100}, {"containerPort", 9000}, {"protocol", "tcp"}},
                            {{"hostPort", 9000},
                             {"hostPortEnd", 9001},
                             {"containerPort", 9000},
                             {"protocol", "udp"},
                             {"hostIP", "192.0.2.1"}}}}});
    REQUIRE_MESSAGE(answer.ok(), answer.out);
}

// The rules as the kernel runs them. Sets are left out: their elements lie in an order of their own each time. So is
// the byte swap that nft puts behind a protocol it looks up among intervals: of one byte the kernel swaps none.
std::string bytecode() {
    return sh("nft --debug=netlink list ruleset | grep -E '^  \\[' | grep -vE 'byteorder .*, 2, 1\\)'");
}

} // namespace

TEST_CASE("nftables: what we make reads back with nft -f to the same text and the same bytecode") {
    World world;
    make_everything(world);
    const std::string text = sh("nft list ruleset"), code = bytecode();
    REQUIRE(text.find("dnat ip to") != std::string::npos);
    REQUIRE(code.find("[ lookup reg 1 set") != std::string::npos);
    std::ofstream("/run/ruleset") << text;
    sh("nft flush ruleset; nft -f /run/ruleset");
    CHECK(sh("nft list ruleset") == text);
    CHECK(bytecode() == code);
}

TEST_CASE("nftables: after a flushed ruleset the next ADD brings back what it needs") {
    World world;
    world.netns("c1");
    world.netns("c2");
    const std::string outside = world.outside();
    Network network(bridge_list());
    REQUIRE(network.add("c1").ok());
    sh("nft flush ruleset");
    REQUIRE(network.add("c2").ok());
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask("/run/netns/c2", "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
}

TEST_CASE("macspoofchk: the MAC of an ADD that nobody undid is not allowed any more") {
    // Every ADD has another MAC; those of killed ones piled up in the set until the next DEL.
    World world;
    world.netns("c1");
    Network network(bridge_list({{"macspoofchk", true}}));
    const Answer first = network.add("c1");
    REQUIRE_MESSAGE(first.ok(), first.out);
    sh("ip link del " + first.document()["interfaces"][1]["name"].get<std::string>());
    const Answer second = network.add("c1");
    REQUIRE_MESSAGE(second.ok(), second.out);
    const std::string allowed = sh("nft list ruleset bridge");
    const auto mac = [](const Answer& answer) { return answer.document()["interfaces"][2]["mac"].get<std::string>(); };
    CHECK(allowed.find(mac(second)) != std::string::npos);
    CHECK(allowed.find(mac(first)) == std::string::npos);
}
