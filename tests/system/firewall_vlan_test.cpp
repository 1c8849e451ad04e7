// SPDX-License-Identifier: Apache-2.0
// firewall's ingressPolicy on bridges with VLANs, whose gateways are behind a port of the bridge.
#include <doctest/doctest.h>

#include "firewall_call.h"
#include "vlan_call.h"

using namespace test;

namespace {

/// c1 and c2 in VLAN 100, c3 in VLAN 200 of the same bridge.
struct TwoVlans {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2"), c3 = world.netns("c3");
    Server in_c1{c1, "tcp", 80, "c1"}, in_c3{c3, "tcp", 80, "c3"}, outer{outside, "tcp", 80, "outside"};
    Network first, second;

    explicit TwoVlans(const std::string& policy)
        : first(list(policy, "net", 100, {"10.9.0.0/24", "fd09::/64"})),
          second(list(policy, "other", 200, {"10.8.0.0/24", "fd08::/64"})) {}

    static json list(const std::string& policy, const std::string& name, int vlan,
                     const std::vector<std::string>& subnets) {
        json list = firewall_list(
            {{"ingressPolicy", policy}}, "1.0.0",
            {{"bridge", "br0"}, {"isDefaultGateway", true}, {"ipMasq", true}, {"vlan", vlan}, {"ipam", ipam(subnets)}});
        list["name"] = name;
        return list;
    }
    void attach(bool nf_call = false) {
        filter_bridged(nf_call);
        for (const auto& [network, id] : {std::pair(&first, "c1"), {&first, "c2"}, {&second, "c3"}}) {
            const Answer answer = network->add(id);
            REQUIRE_MESSAGE(answer.ok(), answer.out);
        }
        CHECK(pings(c1, "fd09::1"));
        CHECK(pings(c3, "fd08::1"));
    }
    [[nodiscard]] bool neighbours_meet() const {
        return ask(c2, "tcp", "10.9.0.2", 80) && ask(c2, "tcp", "fd09::2", 80);
    }
    [[nodiscard]] bool any_neighbours_meet() const {
        return ask(c2, "tcp", "10.9.0.2", 80) || ask(c2, "tcp", "fd09::2", 80);
    }
    [[nodiscard]] bool vlans_meet() const {
        return ask(c1, "tcp", "10.8.0.2", 80) || ask(c1, "tcp", "fd08::2", 80) || ask(c3, "tcp", "10.9.0.2", 80) ||
               ask(c3, "tcp", "fd09::2", 80);
    }
    void outside_is_reached() const {
        for (const std::string& container : {c1, c2, c3}) {
            CHECK(ask(container, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
            CHECK(ask(container, "tcp", "2001:db8::2", 80) == "outside 2001:db8::1");
        }
    }
};

} // namespace

TEST_CASE(
    "bridge vlan firewall: with policy isolated nobody meets anybody, and all reach the gateway and the outside") {
    TwoVlans host("isolated");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    host.attach();
    CHECK(!host.any_neighbours_meet());
    CHECK(!host.vlans_meet());
    host.outside_is_reached();
    CHECK(host.first.check("c1").ok());
}

TEST_CASE("bridge vlan firewall: with policy same-bridge the containers of one VLAN meet, those of two do not") {
    TwoVlans host("same-bridge");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    host.attach();
    CHECK(host.neighbours_meet());
    CHECK(!host.vlans_meet());
    host.outside_is_reached();
    CHECK(host.first.check("c1").ok());
}

TEST_CASE("bridge vlan firewall: with policy open everybody meets") {
    TwoVlans host("open");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    host.attach();
    CHECK(host.neighbours_meet());
    CHECK(ask(host.c1, "tcp", "10.8.0.2", 80).has_value());
    CHECK(ask(host.c1, "tcp", "fd08::2", 80).has_value());
    host.outside_is_reached();
}

// What is bridged passes the chains for what is routed too, which cannot tell the gateway's port from others.
TEST_CASE("bridge vlan firewall: isolated containers reach their gateway where bridged packets pass netfilter") {
    TwoVlans host("isolated");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    host.attach(true);
    CHECK(pings(host.c1, "10.9.0.1"));
    CHECK(!host.any_neighbours_meet());
}

// Was half of the owner's hash where that is too long for a comment.
TEST_CASE("firewall: the port of a VLAN's gateway has the name of its network for a comment, be it long") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip link add veth0 master br0 type veth peer name eth0 netns c1; "
       "ip link add vethgw master br0 type veth peer name br0.100");
    const std::string name(124, 'n'); // so that an owner is hashed
    json config = firewall_config({{"ingressPolicy", "isolated"}, {"name", name}});
    config["prevResult"]["interfaces"].push_back({{"name", "br0.100"}});
    const Answer answer = firewall("ADD", config);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(has(sh("nft list set bridge cnative gateway_ports"), "\"vethgw\" comment \"" + name + "\""));
    CHECK(firewall("CHECK", config).ok());
}

TEST_CASE("bridge vlan firewall: CHECK names the gateway's port where it is cut off, and DEL lets the container go") {
    TwoVlans host("isolated");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    host.attach();
    const std::string port = gateway_port();
    sh("nft delete element bridge cnative gateway_ports '{ \"" + port + "\" }'");
    CHECK(!works("ping -c1 -W1 10.9.0.1", host.c1));
    const Answer answer = host.first.check("c1");
    CHECK_MESSAGE(has(answer.msg(), "port " + port + " is not in set gateway_ports"), answer.out);
    REQUIRE(host.first.del("c2").ok());
    REQUIRE(host.first.add("c2").ok());
    CHECK(pings(host.c1, "10.9.0.1"));
    CHECK(host.first.check("c1").ok());
    CHECK(host.first.del("c1").ok());
    CHECK(!has(sh("nft list set bridge cnative isolated"), "net/c1/eth0"));
}
