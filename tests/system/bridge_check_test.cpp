// SPDX-License-Identifier: Apache-2.0
// bridge CHECK.
#include <doctest/doctest.h>

#include "bridge_call.h"

using namespace test;

namespace {

const json checked_config =
    bridge_config({{"isDefaultGateway", true}, {"ipMasq", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}});

void check_says(const json& config, const json& prev, const std::string& text) {
    const Answer answer = bridge("CHECK", config, "c1", prev);
    CHECK(answer.status == 1);
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == text);
}

} // namespace

TEST_CASE("bridge: CHECK of what ADD made is silent, in each version that has it") {
    for (const std::string version : {"0.4.0", "1.0.0"}) {
        World world;
        world.netns("c1");
        json config = checked_config;
        config["cniVersion"] = version;
        const Answer answer = bridge("CHECK", config, "c1", added(config));
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.out.empty());
    }
}

// The IPAM plugin was asked before, and its words about a lease that has gone as well hid the cause.
TEST_CASE("bridge: CHECK of a namespace that has gone names it first") {
    World world;
    json config = checked_config;
    Call call = {.plugin = "bridge", .command = "CHECK", .config = config, .netns = "/run/netns/nobody"};
    CHECK(invoke(call).msg() ==
          "failed to open netns \"/run/netns/nobody\": failed to Statfs \"/run/netns/nobody\": no "
          "such file or directory");
}

TEST_CASE("bridge: CHECK on layer 2") {
    World world;
    world.netns("c1");
    const Answer answer = bridge("CHECK", layer2_config(), "c1", added(layer2_config()));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("bridge: CHECK without prevResult") {
    World world;
    world.netns("c1");
    added(checked_config);
    check_says(checked_config, nullptr, "Required prevResult missing");
}

TEST_CASE("bridge: CHECK of interfaces that no ADD would have told") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    const auto with_veth = [&](const json& changes) {
        json changed = result;
        changed["interfaces"][1].update(changes);
        return changed;
    };
    check_says(checked_config, with_veth({{"name", ""}}), "Interface name missing ");
    check_says(checked_config, with_veth({{"name", "nope"}, {"sandbox", "/x"}}), "Interface name nope not found");
    check_says(checked_config, with_veth({{"sandbox", "/x"}}),
               "Interface " + host_veth(result) + " should not be in sandbox");
    check_says(checked_config, with_veth({{"mac", "02:00:00:00:00:01"}}),
               "Interface " + host_veth(result) + " Mac doesn't match: 02:00:00:00:00:01 not found");
}

TEST_CASE("bridge: CHECK finds a deleted address") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(checked_config);
    sh("ip addr del 10.9.0.2/24 dev eth0; ip addr add 10.9.0.3/24 dev eth0; ip route add default via 10.9.0.1", c1);
    check_says(checked_config, result, "Failed to match addr 10.9.0.2/24 on interface eth0");
}

TEST_CASE("bridge: CHECK finds a deleted subnet route") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(checked_config);
    sh("ip route del 10.9.0.0/24", c1);
    check_says(checked_config, result, "Failed to find Gateway 10.9.0.1 for interface eth0");
}

TEST_CASE("bridge: CHECK finds a deleted route") {
    World world;
    const std::string c1 = world.netns("c1");
    json config = checked_config;
    config["isDefaultGateway"] = false;
    config["ipam"] = ipam({"10.9.0.0/24"}, {{"routes", {{{"dst", "10.50.0.0/16"}}}}});
    const json result = added(config);
    sh("ip route del 10.50.0.0/16", c1);
    check_says(config, result,
               "Expected Route {Dst:{IP:10.50.0.0 Mask:ffff0000} GW:<nil> MTU:0 AdvMSS:0 Priority:0 Table:<nil> "
               "Scope:<nil>} not found in routing table");
}

TEST_CASE("bridge: CHECK finds a changed container MAC") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(checked_config);
    sh("ip link set eth0 address 02:00:00:00:00:99", c1);
    check_says(checked_config, result,
               "Interface eth0 Mac " + result["interfaces"][2]["mac"].get<std::string>() +
                   " doesn't match container Mac: 02:00:00:00:00:99");
}

TEST_CASE("bridge: CHECK finds a changed host MAC") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("ip link set " + host_veth(result) + " address 02:00:00:00:00:99");
    check_says(checked_config, result,
               "Interface " + host_veth(result) +
                   " Mac doesn't match: " + result["interfaces"][1]["mac"].get<std::string>() + " not found");
}

TEST_CASE("bridge: CHECK finds a prevResult of another namespace") {
    World world;
    world.netns("c1");
    json result = added(checked_config);
    result["interfaces"][2]["sandbox"] = "/run/netns/other";
    check_says(checked_config, result, "Sandbox in prevResult  doesn't match configured netns: /run/netns/c1");
}

TEST_CASE("bridge: CHECK finds a container interface that has gone") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(checked_config);
    sh("ip link del eth0", c1);
    check_says(checked_config, result, "Interface name eth0 not found");
}

TEST_CASE("bridge: CHECK finds a bridge that has gone") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("ip link del br0");
    check_says(checked_config, result, "Interface name br0 not found");
}

TEST_CASE("bridge: CHECK finds a host end that left the bridge") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("ip link set " + host_veth(result) + " nomaster");
    check_says(checked_config, result, "CNI veth created for bridge br0 was not found");
}

TEST_CASE("bridge: CHECK finds a prevResult without the bridge") {
    World world;
    world.netns("c1");
    json result = added(checked_config);
    result["interfaces"].erase(0);
    check_says(checked_config, result, "Interface name missing ");
}

TEST_CASE("bridge: CHECK finds a bridge that is no longer promiscuous") {
    World world;
    world.netns("c1");
    json config = checked_config;
    config["promiscMode"] = true;
    const json result = added(config);
    sh("ip link set br0 promisc off");
    check_says(config, result, "Bridge interface br0 configured Promisc Mode true doesn't match current state: false ");
}

TEST_CASE("bridge: CHECK does not mind who listens on the bridge") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("ip link set br0 promisc on");
    CHECK(bridge("CHECK", checked_config, "c1", result).ok());
}

TEST_CASE("bridge: CHECK finds a deleted lease") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("rm /var/lib/cni/networks/net/*09* /var/lib/cni/networks/net/10.9.0.2");
    check_says(checked_config, result, "host-local: Failed to find address added by container c1");
}

TEST_CASE("bridge: CHECK finds a flushed masquerade") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("nft flush ruleset");
    check_says(
        checked_config, result,
        "masquerading for 10.9.0.2 is missing: set masq4 of table inet cnative has no element of this container");
}

TEST_CASE("bridge: CHECK finds one deleted masquerade element") {
    World world;
    world.netns("c1");
    const json result = added(checked_config);
    sh("nft delete element inet cnative masq6 '{ fd09::2 }'");
    check_says(checked_config, result,
               "masquerading for fd09::2 is missing: set masq6 of table inet cnative has no element of this container");
}

TEST_CASE("bridge: CHECK finds the chains of masquerade emptied") {
    for (const std::string chain : {"masq", "masquerade4", "masquerade6", "masq_within4", "masq_within6"}) {
        CAPTURE(chain);
        World world;
        world.netns("c1");
        const json result = added(checked_config);
        sh("nft flush chain inet cnative " + chain);
        const std::string wanted = chain == "masq" ? "2" : chain.starts_with("masquerade") ? "3" : "1";
        check_says(checked_config, result,
                   "masquerading is not in place: chain " + chain + " of table inet cnative has 0 of its " + wanted +
                       " rules");
    }
}

// Nothing was said, and with its chain flushed as well the subnet's rule was gone for good.
TEST_CASE("bridge: CHECK finds a subnet that was taken out of masquerade's ledger, and an ADD brings it back") {
    for (const auto& [chain, subnet] :
         {std::pair<std::string, std::string>("masq_within4", "10.9.0.0/24"), {"masq_within6", "fd09::/64"}}) {
        for (const bool rule_too : {false, true}) {
            CAPTURE(chain);
            CAPTURE(rule_too);
            World world;
            world.netns("c1");
            world.netns("c2");
            const json result = added(checked_config);
            const std::string before = sh("nft list chain inet cnative " + chain);
            sh("nft flush set inet cnative " + chain + "_subnets");
            if (rule_too)
                sh("nft flush chain inet cnative " + chain);
            check_says(checked_config, result,
                       "masquerading is not in place: " + subnet + " is not in set " + chain +
                           "_subnets of table inet cnative");
            (void)added(checked_config, "c2");
            if (rule_too)
                CHECK(sh("nft list chain inet cnative " + chain) == before);
            CHECK(bridge("CHECK", checked_config, "c1", result).ok());
        }
    }
}

TEST_CASE("bridge: CHECK finds the MAC spoof check gone, of one container or of all") {
    json config = checked_config;
    config["macspoofchk"] = true;
    const std::vector<std::pair<std::string, std::string>> damages = {
        {"nft flush set bridge cnative allowed", "the MAC spoof check is missing: set allowed of table bridge cnative "
                                                 "has no element of this container"},
        {"nft flush set bridge cnative guarded", "the MAC spoof check is missing: set guarded of table bridge cnative "
                                                 "has no element of this container"},
        {"nft flush chain bridge cnative spoofcheck", "the MAC spoof check is not in place: chain spoofcheck of table "
                                                      "bridge cnative has 0 of its 1 rules"}};
    for (const auto& [damage, message] : damages) {
        CAPTURE(damage);
        World world;
        world.netns("c1");
        const json result = added(config);
        REQUIRE(bridge("CHECK", config, "c1", result).ok());
        sh(damage);
        check_says(config, result, message);
    }
}
