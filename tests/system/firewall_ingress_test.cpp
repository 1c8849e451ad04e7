// SPDX-License-Identifier: Apache-2.0
// firewall's ingressPolicy: who may send to the containers on a bridge.
#include <doctest/doctest.h>

#include "firewall_call.h"

using namespace test;

namespace {

/// Containers a1 and a2 on br0, b1 on br1, each with a server; all three networks under one policy or another.
struct TwoBridges {
    World world;
    std::string outside = world.outside(), a1 = world.netns("a1"), a2 = world.netns("a2"), b1 = world.netns("b1");
    Network first, second;
    Server in_a1{a1, "tcp", 80, "a1"}, in_b1{b1, "tcp", 80, "b1"}, outer{outside, "tcp", 80, "outside"};

    TwoBridges(const std::string& policy, const std::string& second_policy)
        : first(firewall_list({{"ingressPolicy", policy}})), second(other(second_policy)) {
        for (const std::string id : {"a1", "a2"}) {
            const Answer answer = first.add(id);
            REQUIRE_MESSAGE(answer.ok(), answer.out);
        }
        const Answer answer = second.add("b1");
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        // IPv6 takes a moment, and then both directions must have been tried.
        CHECK(eventually([&] { return works("ping -c1 -W1 fd09::2 && ping -c1 -W1 fd08::2"); }));
    }

    static json other(const std::string& policy) {
        json list = firewall_list(
            {{"ingressPolicy", policy}}, "1.0.0",
            {{"bridge", "br1"},
             {"ipam",
              {{"type", "host-local"}, {"ranges", {{{{"subnet", "10.8.0.0/24"}}}, {{{"subnet", "fd08::/64"}}}}}}}});
        list["name"] = "net2";
        return list;
    }

    [[nodiscard]] bool neighbours_meet() const {
        return ask(a2, "tcp", "10.9.0.2", 80) && ask(a2, "tcp", "fd09::2", 80);
    }
    /// Nothing when IPv4 and IPv6 differ.
    [[nodiscard]] std::optional<bool> bridges_meet() const {
        const bool v4 = ask(a1, "tcp", "10.8.0.2", 80).has_value(), v6 = ask(a1, "tcp", "fd08::2", 80).has_value();
        const bool back4 = ask(b1, "tcp", "10.9.0.2", 80).has_value(),
                   back6 = ask(b1, "tcp", "fd09::2", 80).has_value();
        return v4 == v6 && back4 == back6 && v4 == back4 ? std::optional(v4) : std::nullopt;
    }
    void outside_is_reached() const {
        CHECK(ask(a1, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
        CHECK(ask(a1, "tcp", "2001:db8::2", 80) == "outside 2001:db8::1");
    }
};

std::string isolated_ports() {
    return sh("nft list set bridge cnative isolated | grep -o 'comment \"[^\"]*' || true");
}

/// What `bridge` makes of a network with a VLAN: the gateway is on one end of a veth pair, whose other end is a port.
/// Made by hand, for kernels that have no VLANs on bridges.
struct VlanGateway {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Server outer{outside, "tcp", 80, "outside"}, in_c1{c1, "tcp", 80, "c1"}, in_c2{c2, "tcp", 80, "c2"};

    VlanGateway() {
        sh("ip link add br0 type bridge && ip link set br0 up; ip link add br0.100 type veth peer name gateway; "
           "ip link set gateway master br0 up; ip link set br0.100 up; ip addr add 10.9.0.1/24 dev br0.100; "
           "echo 1 >/proc/sys/net/ipv4/ip_forward");
        sh("ip route replace default via 192.0.2.1", outside);
        for (const std::string number : {"1", "2"}) {
            sh("ip link add port" + number + " type veth peer name eth0 netns /run/netns/c" + number +
               "; ip link set port" + number + " master br0 up");
            sh("ip addr add 10.9.0.1" + number + "/24 dev eth0; ip link set eth0 up; ip route add default via 10.9.0.1",
               "/run/netns/c" + number);
            const Answer answer = firewall("ADD", config(number), "c" + number);
            REQUIRE_MESSAGE(answer.ok(), answer.out);
        }
    }
    static json config(const std::string& number) {
        json config = firewall_config({{"ingressPolicy", "isolated"}});
        json& result = config["prevResult"];
        result["interfaces"] = {{{"name", "br0"}},
                                {{"name", "port" + number}},
                                {{"name", "eth0"}, {"sandbox", "/run/netns/c" + number}},
                                {{"name", "br0.100"}}};
        result["ips"] = {{{"address", "10.9.0.1" + number + "/24"}, {"interface", 2}, {"gateway", "10.9.0.1"}}};
        return config;
    }
};

} // namespace

TEST_CASE("firewall: with policy open, or none, everybody meets") {
    for (const std::string policy : {"", "open"}) {
        CAPTURE(policy);
        const TwoBridges host(policy, policy);
        CHECK(host.neighbours_meet());
        CHECK(host.bridges_meet() == true);
        host.outside_is_reached();
    }
}

TEST_CASE("firewall: with policy same-bridge containers of one bridge meet, those of two do not") {
    const TwoBridges host("same-bridge", "same-bridge");
    CHECK(host.neighbours_meet());
    CHECK(host.bridges_meet() == false);
    host.outside_is_reached();
}

TEST_CASE("firewall: with policy isolated nobody meets anybody, and all reach the outside") {
    const TwoBridges host("isolated", "same-bridge");
    for (const bool filtered : {true, false}) { // neither way may depend on br_netfilter
        CAPTURE(filtered);
        filter_bridged(filtered);
        CHECK_FALSE(ask(host.a2, "tcp", "10.9.0.2", 80));
        CHECK_FALSE(ask(host.a2, "tcp", "fd09::2", 80));
    }
    CHECK(host.bridges_meet() == false);
    host.outside_is_reached();
}

TEST_CASE("firewall: a bridge without a policy meets those that have one, as with the Go suite") {
    const TwoBridges host("isolated", "open");
    CHECK(host.bridges_meet() == true);
}

TEST_CASE("firewall: policies hold after the last container has gone, and a stricter one is kept") {
    TwoBridges host("isolated", "same-bridge");
    REQUIRE(host.first.del("a2").ok());
    REQUIRE(host.first.del("a1").ok());
    Network milder(firewall_list({{"ingressPolicy", "same-bridge"}}));
    REQUIRE(milder.add("a1").ok());
    REQUIRE(milder.add("a2").ok());
    const std::string address = milder.results["a1 eth0"]["ips"][0]["address"];
    filter_bridged(true);
    CHECK_FALSE(ask(host.a2, "tcp", address.substr(0, address.find('/')), 80));
    CHECK_FALSE(ask(host.b1, "tcp", address.substr(0, address.find('/')), 80));
}

TEST_CASE("firewall: policies hold on a host that drops what it forwards") {
    const TwoBridges host("same-bridge", "same-bridge");
    drop_forwarded();
    const json config = host.first.config(2, host.first.results.at("a1 eth0"), json::object());
    REQUIRE(firewall("ADD", config, "a1").ok()); // the next ADD after the host began to drop
    CHECK(host.neighbours_meet());
    CHECK(host.bridges_meet() == false);
    host.outside_is_reached();
}

TEST_CASE("firewall: an isolated container's port is let go by DEL with and without prevResult, and by GC") {
    World world;
    const json config = firewall_config({{"ingressPolicy", "isolated"}}, "1.1.0");
    json bare = config;
    bare.erase("prevResult");
    for (const std::string how : {"DEL", "DEL without prevResult", "GC"}) {
        CAPTURE(how);
        REQUIRE(firewall("ADD", config).ok());
        CHECK(isolated_ports() == "comment \"net/c1/eth0\n");
        json call = how == "DEL" ? config : bare;
        if (how == "GC")
            call["cni.dev/valid-attachments"] = json::array();
        CHECK(firewall(how.substr(0, how.find(' ')), call).ok());
        CHECK(isolated_ports().empty());
    }
}

// On Linux 6.1 they met with br_netfilter, once they knew each other's MAC: over IPv6 without help.
TEST_CASE("firewall: isolated containers of a VLAN do not meet, by way of the bridge or of the gateway") {
    const VlanGateway host;
    const auto know_each_other = [](const std::string& netns, const std::string& other, const std::string& address) {
        const std::string mac = json::parse(sh("ip -j link show eth0", other))[0]["address"];
        sh("ip neigh replace " + address + " lladdr " + mac + " dev eth0", netns);
    };
    know_each_other(host.c1, host.c2, "10.9.0.12"); // their ARP requests are dropped
    know_each_other(host.c2, host.c1, "10.9.0.11");
    for (const bool filtered : {true, false}) {
        CAPTURE(filtered);
        filter_bridged(filtered);
        CHECK(ask(host.c1, "tcp", "192.0.2.2", 80) == "outside 10.9.0.11");
        CHECK_FALSE(ask(host.c1, "tcp", "10.9.0.12", 80));
    }
    for (const std::string& netns : {host.c1, host.c2}) // all by way of the gateway
        sh("ip addr flush dev eth0 && ip addr add 10.9.0.1" + netns.substr(netns.size() - 1) +
               "/32 dev eth0; ip route add 10.9.0.1 dev eth0; ip route add default via 10.9.0.1",
           netns);
    CHECK(ask(host.c1, "tcp", "192.0.2.2", 80) == "outside 10.9.0.11");
    CHECK_FALSE(ask(host.c1, "tcp", "10.9.0.12", 80));
}

TEST_CASE("firewall: CHECK names a policy that is not in place") {
    World world;
    for (const std::string policy : {"same-bridge", "isolated"}) {
        CAPTURE(policy);
        const json config = firewall_config({{"ingressPolicy", policy}});
        REQUIRE(firewall("ADD", config).ok());
        CHECK(firewall("CHECK", config).ok());
        sh("nft flush set inet cnative apart");
        CHECK(has(firewall("CHECK", config).msg(), "bridge br0 is not in set apart of table inet cnative"));
        REQUIRE(firewall("ADD", config).ok());
        sh("nft flush chain inet cnative ingress");
        CHECK(has(firewall("CHECK", config).msg(), "chain ingress of table inet cnative has 0 of its 2 rules"));
        sh("nft flush map inet cnative schema");
    }
    const json config = firewall_config({{"ingressPolicy", "isolated"}});
    REQUIRE(firewall("ADD", config).ok());
    sh("nft flush set bridge cnative isolated");
    CHECK(has(firewall("CHECK", config).msg(), "port veth0 is not in set isolated of table bridge cnative"));
}
