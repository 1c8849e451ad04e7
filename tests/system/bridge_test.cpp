// SPDX-License-Identifier: Apache-2.0
// bridge ADD: keys, links, addresses, results. Refusals are in bridge_refusal_test.cpp, what traffic shows in
// bridge_traffic_test.cpp.
#include <doctest/doctest.h>

#include <fstream>
#include <utility>

#include "bridge_call.h"

using namespace test;

namespace {

Answer add_with_mac(json config, const std::string& args) {
    return invoke({.plugin = "bridge", .config = config, .netns = "/run/netns/c1", .args = args});
}

/// With an IPAM plugin that says just that.
Answer add_answered(const std::string& version, const std::string& answer) {
    sh("mkdir -p /run/plugins");
    std::ofstream("/run/plugins/other") << "#!/bin/sh\n[ $CNI_COMMAND != ADD ] || printf %s '" << answer << "'\n";
    sh("chmod +x /run/plugins/other");
    return invoke({.plugin = "bridge",
                   .config = bridge_config({{"cniVersion", version}, {"ipam", {{"type", "other"}}}}),
                   .netns = "/run/netns/c1",
                   .path = "/run/plugins"});
}

std::string container_mac(const Answer& answer) {
    return answer.document()["interfaces"][2].value("mac", "");
}

} // namespace

// ---- gateway and addresses

TEST_CASE("bridge: isGateway puts the gateway address on the bridge and makes no default route") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config());
    CHECK(contains(sh("ip -o -4 addr show dev br0"), " 10.9.0.1/24 "));
    CHECK(contains(sh("ip -o -4 addr show dev eth0", c1), " 10.9.0.2/24 "));
    CHECK(sh("ip route show default", c1).empty());
}

TEST_CASE("bridge: without isGateway the bridge has no address and forwarding stays off") {
    World world;
    world.netns("c1");
    added(bridge_config({{"isGateway", false}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}}));
    CHECK(sh("ip -o addr show dev br0 scope global").empty());
    CHECK(sysctl("ipv4/ip_forward") == "0");
    CHECK(sysctl("ipv6/conf/all/forwarding") == "0");
}

TEST_CASE("bridge: isDefaultGateway makes the default routes of both families") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(bridge_config(
        {{"isGateway", false}, {"isDefaultGateway", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}}));
    CHECK(contains(sh("ip -4 route show default", c1), "default via 10.9.0.1 dev eth0"));
    CHECK(contains(sh("ip -6 route show default", c1), "default via fd09::1 dev eth0"));
    CHECK(result["routes"] ==
          json::array({{{"dst", "0.0.0.0/0"}, {"gw", "10.9.0.1"}}, {{"dst", "::/0"}, {"gw", "fd09::1"}}}));
}

TEST_CASE("bridge: a default route of the IPAM plugin without a gateway becomes the default route") {
    World world;
    const std::string c1 = world.netns("c1");
    json route = {{"dst", "0.0.0.0/0"}};
    json config = bridge_config({{"isDefaultGateway", true}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", {route}}})}});
    const Answer answer = bridge("ADD", config);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["routes"] == json::array({{{"dst", "0.0.0.0/0"}, {"gw", "10.9.0.1"}}}));
    CHECK(contains(sh("ip route show default", c1), "default via 10.9.0.1 dev eth0"));
    REQUIRE(bridge("DEL", config).ok());

    route["table"] = 254; // the main one, by its number
    config["ipam"]["routes"] = {route};
    added(config);
    CHECK(contains(sh("ip route show default", c1), "default via 10.9.0.1 dev eth0"));
}

TEST_CASE("bridge: a default route of the IPAM plugin with a gateway is left as it is") {
    World world;
    const std::string c1 = world.netns("c1");
    const json routes = json::array({{{"dst", "0.0.0.0/0"}, {"gw", "10.9.0.77"}}});
    const json result =
        added(bridge_config({{"isDefaultGateway", true}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", routes}})}}));
    CHECK(result["routes"] == routes);
    CHECK(contains(sh("ip route show default", c1), "default via 10.9.0.77 dev eth0"));
}

TEST_CASE("bridge: a default route of the IPAM plugin with a gateway is the only one, whatever its table") {
    for (const auto& [table, shown] : {std::pair(0, "main"), std::pair(254, "main"), std::pair(100, "100")}) {
        CAPTURE(table);
        World world;
        const std::string c1 = world.netns("c1");
        const json routes = json::array({{{"dst", "0.0.0.0/0"}, {"gw", "10.9.0.77"}, {"table", table}}});
        const json result =
            added(bridge_config({{"isDefaultGateway", true}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", routes}})}}));
        CHECK(result["routes"] == routes);
        CHECK(sh("ip route show table all default | grep -c .", c1) == "1\n");
        CHECK(contains(sh(std::string("ip route show default table ") + shown, c1), "default via 10.9.0.77 dev eth0"));
    }
}

TEST_CASE("bridge: a default route of another table without a gateway is none of the main table") {
    World world;
    const std::string c1 = world.netns("c1");
    const json routes = json::array({{{"dst", "0.0.0.0/0"}, {"table", 100}}});
    added(bridge_config({{"isDefaultGateway", true}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", routes}})}}));
    for (const char* const table : {"main", "100"})
        CHECK(contains(sh(std::string("ip route show default table ") + table, c1), "default via 10.9.0.1 dev eth0"));
}

TEST_CASE("bridge: an IPAM plugin may answer in another version than the config's") {
    const json in_lists = {{"ips", {{{"version", "4"}, {"address", "10.9.0.7/24"}, {"gateway", "10.9.0.1"}}}}};
    const json by_family = {{"ip4", {{"ip", "10.9.0.7/24"}, {"gateway", "10.9.0.1"}}}};
    for (const std::string version : {"0.2.0", "0.4.0", "1.0.0"}) {
        for (const std::string of_answer : {"0.2.0", "0.3.1", "0.4.0", "1.0.0", ""}) {
            CAPTURE(version);
            CAPTURE(of_answer);
            World world;
            const std::string c1 = world.netns("c1");
            json answer = (of_answer.empty() ? version : of_answer) == "0.2.0" ? by_family : in_lists;
            if (!of_answer.empty())
                answer["cniVersion"] = of_answer;
            const Answer added = add_answered(version, answer.dump());
            CHECK_MESSAGE(added.ok(), added.out);
            CHECK(added.document().value("cniVersion", "") == version);
            CHECK(contains(sh("ip -o -4 addr show dev eth0", c1), " 10.9.0.7/24 "));
        }
    }
}

TEST_CASE("bridge: an answer of the IPAM plugin that is no result is refused, in the Go suite's words") {
    const std::string unknown = R"({"cniVersion":"9.9.9","ips":[]})";
    for (const auto& [answer, msg] :
         {std::pair(unknown, "unsupported CNI result version \"9.9.9\""),
          std::pair(std::string(), "failed to unmarshal raw result: unexpected end of JSON input")}) {
        World world;
        world.netns("c1");
        const Answer refused = add_answered("1.0.0", answer);
        CHECK(refused.code() == 999);
        CHECK(refused.msg() == msg);
    }
}

TEST_CASE("bridge: routes of the IPAM plugin are made, by the address's gateway when they name none") {
    World world;
    const std::string c1 = world.netns("c1");
    const json routes =
        json::array({{{"dst", "10.50.0.0/16"}}, {{"dst", "10.60.0.0/16"}, {"gw", "10.9.0.9"}}, {{"dst", "fd50::/32"}}});
    added(bridge_config({{"ipam", ipam({"10.9.0.0/24", "fd09::/64"}, {{"routes", routes}})}}));
    CHECK(contains(sh("ip route show 10.50.0.0/16", c1), "via 10.9.0.1 dev eth0"));
    CHECK(contains(sh("ip route show 10.60.0.0/16", c1), "via 10.9.0.9 dev eth0"));
    CHECK(contains(sh("ip -6 route show fd50::/32", c1), "via fd09::1 dev eth0"));
}

TEST_CASE("bridge: one IPv4 and two IPv6 range sets give three addresses and three gateways") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(bridge_config({{"ipam", ipam({"10.9.0.0/24", "fd09::/64", "fd0a::/64"})}}));
    CHECK(result["ips"].size() == 3);
    const std::string here = sh("ip -o addr show dev eth0", c1), gateways = sh("ip -o addr show dev br0");
    for (const std::string address : {" 10.9.0.2/24 ", " fd09::2/64 ", " fd0a::2/64 "})
        CHECK_MESSAGE(contains(here, address), here);
    for (const std::string address : {" 10.9.0.1/24 ", " fd09::1/64 ", " fd0a::1/64 "})
        CHECK_MESSAGE(contains(gateways, address), gateways);
}

TEST_CASE("bridge: two IPv4 range sets without a gateway give two addresses") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config({{"isGateway", false}, {"ipam", ipam({"10.9.0.0/24", "10.8.0.0/24"})}}));
    const std::string here = sh("ip -o -4 addr show dev eth0", c1);
    CHECK(contains(here, " 10.9.0.2/24 "));
    CHECK(contains(here, " 10.8.0.2/24 "));
}

TEST_CASE("bridge: another IPv4 address on the bridge is a conflict") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip addr add 10.8.0.1/24 dev br0");
    const Answer answer = bridge("ADD", bridge_config());
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == R"(failed to set bridge addr: "br0" already has an IP address different from 10.9.0.1/24)");
    CHECK(contains(sh("ip -o -4 addr show dev br0"), " 10.8.0.1/24 "));
    CHECK(leases("net").empty());
}

TEST_CASE("bridge: an overlapping IPv6 address on the bridge is a conflict") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip addr add fd09::5/48 dev br0");
    const Answer answer = bridge("ADD", bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    CHECK(answer.msg() == R"(failed to set bridge addr: "br0" already has an IP address different from fd09::1/64)");
}

TEST_CASE("bridge: a disjoint IPv6 address on the bridge stays beside the gateway") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip addr add fd08::1/64 dev br0");
    added(bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    const std::string here = sh("ip -o -6 addr show dev br0");
    CHECK(contains(here, " fd08::1/64 "));
    CHECK(contains(here, " fd09::1/64 "));
}

TEST_CASE("bridge: forceAddress replaces what conflicts and nothing else") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip addr add 10.8.0.1/24 dev br0");
    sh("ip addr add fd09::5/48 dev br0; ip addr add fd08::1/64 dev br0");
    added(bridge_config({{"forceAddress", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}}));
    const std::string here = sh("ip -o addr show dev br0 scope global");
    CHECK(!contains(here, " 10.8.0.1/24 "));
    CHECK(!contains(here, " fd09::5/48 "));
    for (const std::string address : {" 10.9.0.1/24 ", " fd09::1/64 ", " fd08::1/64 "})
        CHECK_MESSAGE(contains(here, address), here);
}

TEST_CASE("bridge: forwarding is switched on for the families in use only") {
    World world;
    world.netns("c1");
    added(bridge_config());
    CHECK(sysctl("ipv4/ip_forward") == "1");
    CHECK(sysctl("ipv6/conf/all/forwarding") == "0");
}

// ---- links

TEST_CASE("bridge: mtu is set on a new bridge and on both ends") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(bridge_config({{"mtu", 1400}}));
    CHECK(contains(sh("ip -o link show br0"), " mtu 1400 "));
    CHECK(contains(sh("ip -o link show " + host_veth(result)), " mtu 1400 "));
    CHECK(contains(sh("ip -o link show eth0", c1), " mtu 1400 "));
}

TEST_CASE("bridge: mtu leaves a bridge that was there alone") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("ip link add br0 type bridge; ip link set br0 mtu 1450");
    added(bridge_config({{"mtu", 1400}}));
    CHECK(contains(sh("ip -o link show br0"), " mtu 1450 "));
    CHECK(contains(sh("ip -o link show eth0", c1), " mtu 1400 "));
}

TEST_CASE("bridge: an mtu of zero or less is the kernel's default") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config({{"mtu", -5}}));
    CHECK(contains(sh("ip -o link show eth0", c1), " mtu 1500 "));
}

TEST_CASE("bridge: hairpinMode sets the port's flag, and only when asked") {
    World world;
    world.netns("c1");
    world.netns("c2");
    const std::string with = host_veth(added(bridge_config({{"hairpinMode", true}})));
    const std::string without = host_veth(added(bridge_config(), "c2"));
    CHECK(contains(sh("ip -d link show " + with), " hairpin on "));
    CHECK(contains(sh("ip -d link show " + without), " hairpin off "));
}

TEST_CASE("bridge: promiscMode makes the bridge promiscuous") {
    World world;
    world.netns("c1");
    added(bridge_config({{"promiscMode", true}}));
    CHECK(contains(sh("ip link show br0"), "PROMISC"));
}

TEST_CASE("bridge: hairpinMode and promiscMode together are refused") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"promiscMode", true}, {"hairpinMode", true}}), 999,
                  "cannot set hairpin mode and promiscuous mode at the same time");
}

TEST_CASE("bridge: portIsolation sets the port's flag, and only when asked") {
    World world;
    world.netns("c1");
    world.netns("c2");
    const std::string with = host_veth(added(bridge_config({{"portIsolation", true}})));
    const std::string without = host_veth(added(bridge_config(), "c2"));
    CHECK(contains(sh("ip -d link show " + with), " isolated on "));
    CHECK(contains(sh("ip -d link show " + without), " isolated off "));
}

TEST_CASE("bridge: a bridge that is there is used") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge");
    const std::string before = sh("ip -o link show br0 | cut -d: -f1");
    added(bridge_config());
    CHECK(sh("ip -o link show br0 | cut -d: -f1") == before);
    CHECK(contains(sh("ip link show br0"), "state UP"));
}

TEST_CASE("bridge: the bridge's MAC is its own from creation and stays over ADD and DEL") {
    World world;
    const std::string mac_of_br0 = "ip -o link show br0 | grep -o 'link/ether [0-9a-f:]*'";
    world.netns("c1");
    world.netns("c2");
    world.netns("c3");
    const json config = bridge_config({{"isGateway", false}});
    const json first = added(config);
    const std::string mac = sh(mac_of_br0);
    CHECK(mac == "link/ether " + first["interfaces"][0]["mac"].get<std::string>() + "\n");
    for (const std::string id : {"c2", "c3"})
        CHECK(added(config, id)["interfaces"][0]["mac"] == first["interfaces"][0]["mac"]);
    for (const std::string id : {"c1", "c2", "c3"}) {
        CHECK(bridge("DEL", config, id).ok());
        CHECK(sh(mac_of_br0) == mac);
    }
}

TEST_CASE("bridge: a gateway pins the MAC of a bridge that was there without one") {
    World world;
    world.netns("c1");
    world.netns("c2");
    sh("ip link add br0 type bridge");
    const json first = added(bridge_config());
    for (int i = 0; i < 3; ++i) {
        CHECK(added(bridge_config(), "c2")["interfaces"][0]["mac"] == first["interfaces"][0]["mac"]);
        CHECK(bridge("DEL", bridge_config(), "c2").ok());
    }
}

TEST_CASE("bridge: router advertisements are not accepted on the bridge and the host end") {
    World world;
    world.netns("c1");
    const json result = added(bridge_config());
    CHECK(sysctl("ipv6/conf/br0/accept_ra") == "0");
    CHECK(sysctl("ipv6/conf/" + host_veth(result) + "/accept_ra") == "0");
}

// It was switched off only when ADD itself set the bridge up.
TEST_CASE("bridge: a bridge that was up already does not accept router advertisements any more") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type bridge; ip link set br0 up; echo 1 > /proc/sys/net/ipv6/conf/br0/accept_ra");
    added(bridge_config());
    CHECK(sysctl("ipv6/conf/br0/accept_ra") == "0");
}

TEST_CASE("bridge: a route whose gateway is of the other family is refused in the Go suite's words") {
    World world;
    world.netns("c1");
    const json routes = {{"routes", {{{"dst", "2001:db8::/32"}, {"gw", "10.9.0.1"}}}}};
    const Answer answer = bridge("ADD", bridge_config({{"ipam", ipam({"10.9.0.0/24"}, routes)}}));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(answer.msg().starts_with("failed to add route '{2001:db8:: ffffffff000000000000000000000000} via "
                                           "10.9.0.1 dev eth0"),
                  answer.msg());
    CHECK(answer.msg().ends_with("': gateway, source, and destination ip are not the same IP family"));
    CHECK(leases("net").empty());
}

TEST_CASE("bridge: the host end's alias names network, container and interface") {
    World world;
    world.netns("c1");
    const json result = added(bridge_config());
    CHECK(contains(sh("ip link show " + host_veth(result)), "alias cnative:net/c1/eth0\n"));
}

TEST_CASE("bridge: IPv6 addresses are usable when ADD returns") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    CHECK(!contains(sh("ip -6 addr show dev eth0 scope global", c1), "tentative"));
    CHECK(!contains(sh("ip -6 addr show dev br0 scope global"), "tentative"));
    // The kernel joins the group of an address's askers in a work queue, which a busy host holds up: the first question
    // may get lost, and is asked again after a second.
    CHECK(works("ping -c1 -W3 fd09::1", c1));
    CHECK(sysctl("ipv6/conf/eth0/accept_dad", c1) == "0");
}

TEST_CASE("bridge: enabledad waits until the address is known to be unique") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config({{"enabledad", true}, {"ipam", ipam({"fd09::/64"})}}));
    CHECK(!contains(sh("ip -6 addr show dev eth0", c1), "tentative"));
    CHECK(sysctl("ipv6/conf/eth0/accept_dad", c1) == "1");
}

TEST_CASE("bridge: enabledad finds an address that somebody has") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("ip link add br0 type bridge; ip addr add fd09::2/64 dev br0 nodad; ip link set br0 up");
    const Answer answer =
        bridge("ADD", bridge_config({{"isGateway", false}, {"enabledad", true}, {"ipam", ipam({"fd09::/64"})}}));
    CHECK(answer.msg() == R"(failed to settle addresses for "eth0": link eth0 has address fd09::2 in DADFAILED state)");
    CHECK(leases("net").empty());
}

TEST_CASE("bridge: IPv6 that was switched off in the container is switched on for an IPv6 address") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6", c1);
    added(bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    CHECK(eventually([&] { return works("ping -c1 -W1 fd09::1", c1); }));
}

TEST_CASE("bridge: layer 2 joins the container without addresses and sets its link up") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(layer2_config());
    CHECK(!result.contains("ips"));
    CHECK(sh("ip -o -4 addr show dev eth0", c1).empty());
    CHECK(contains(sh("ip link show eth0", c1), "state UP"));
}

TEST_CASE("bridge: disableContainerInterface leaves the container's link down") {
    World world;
    const std::string c1 = world.netns("c1");
    added(layer2_config({{"disableContainerInterface", true}}));
    CHECK(contains(sh("ip link show eth0", c1), "state DOWN"));
}

TEST_CASE("bridge: disableContainerInterface with ipam is refused") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"disableContainerInterface", true}}), 999,
                  "cannot use IPAM when DisableContainerInterface flag is set");
}

// ---- MAC address

TEST_CASE("bridge: the container's MAC by CNI_ARGS") {
    World world;
    const std::string c1 = world.netns("c1");
    CHECK(container_mac(add_with_mac(bridge_config(), "IgnoreUnknown=1;MAC=c2:11:22:33:44:01")) == "c2:11:22:33:44:01");
    CHECK(contains(sh("ip link show eth0", c1), "link/ether c2:11:22:33:44:01"));
}

TEST_CASE("bridge: args.cni.mac is stronger than CNI_ARGS") {
    World world;
    world.netns("c1");
    const json config = bridge_config({{"args", {{"cni", {{"mac", "c2:11:22:33:44:02"}}}}}});
    CHECK(container_mac(add_with_mac(config, "IgnoreUnknown=1;MAC=c2:11:22:33:44:01")) == "c2:11:22:33:44:02");
}

TEST_CASE("bridge: runtimeConfig.mac is stronger than args.cni.mac") {
    World world;
    world.netns("c1");
    const json config = bridge_config(
        {{"args", {{"cni", {{"mac", "c2:11:22:33:44:02"}}}}}, {"runtimeConfig", {{"mac", "c2:11:22:33:44:03"}}}});
    CHECK(container_mac(add_with_mac(config, "IgnoreUnknown=1;MAC=c2:11:22:33:44:01")) == "c2:11:22:33:44:03");
}

// It overrode the others and left the choice to the kernel.
TEST_CASE("bridge: an empty MAC is none, so that the next weaker one counts") {
    World world;
    const std::string c1 = world.netns("c1");
    const json config = layer2_config({{"runtimeConfig", {{"mac", ""}}}, {"args", {{"cni", {{"mac", ""}}}}}});
    const Answer answer = invoke({.plugin = "bridge", .config = config, .netns = c1, .args = "MAC=c2:11:22:33:44:55"});
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["interfaces"][2]["mac"] == "c2:11:22:33:44:55");
}

TEST_CASE("bridge: a broken MAC is refused") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"runtimeConfig", {{"mac", "zz"}}}}), 999,
                  "failed to make veth pair: address zz: invalid MAC address");
}

// ---- result

TEST_CASE("bridge: the result names bridge, host end and container end, and the address belongs to the third") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(bridge_config());
    const auto mac = [](const std::string& name, const std::string& netns = {}) {
        const std::string text = sh("ip -o link show " + name + " | grep -o 'ether [0-9a-f:]*'", netns);
        return text.substr(6, 17);
    };
    const std::string veth = host_veth(result);
    CHECK(veth.starts_with("veth"));
    CHECK(result == json{{"cniVersion", "1.0.0"},
                         {"interfaces",
                          {{{"name", "br0"}, {"mac", mac("br0")}},
                           {{"name", veth}, {"mac", mac(veth)}},
                           {{"name", "eth0"}, {"mac", mac("eth0", c1)}, {"sandbox", "/run/netns/c1"}}}},
                         {"ips", {{{"address", "10.9.0.2/24"}, {"gateway", "10.9.0.1"}, {"interface", 2}}}}});
}

TEST_CASE("bridge: the result is in the config's version") {
    for (const std::string version : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
        World world;
        world.netns("c1");
        const json result = added(bridge_config({{"cniVersion", version}}));
        CHECK(result["cniVersion"] == version);
        if (version < "0.3.0")
            CHECK(result["ip4"]["ip"] == "10.9.0.2/24");
        else
            CHECK(result["ips"][0]["address"] == "10.9.0.2/24");
        CHECK(result.contains("dns") == (version < "1.0.0"));
    }
}

TEST_CASE("bridge: dns of the config replaces the IPAM plugin's, also when it is an empty list") {
    World world;
    world.netns("c1");
    world.netns("c2");
    std::ofstream("/run/resolv.conf") << "nameserver 192.0.2.53\n";
    json config = bridge_config({{"ipam", ipam({"10.9.0.0/24"}, {{"resolvConf", "/run/resolv.conf"}})},
                                 {"dns", {{"nameservers", {"192.0.2.54"}}}}});
    CHECK(added(config)["dns"] == json{{"nameservers", {"192.0.2.54"}}});
    config["dns"] = {{"search", json::array()}};
    CHECK(!added(config, "c2").contains("dns"));
}

TEST_CASE("bridge: dns of the IPAM plugin is passed on when the config has none") {
    World world;
    world.netns("c1");
    std::ofstream("/run/resolv.conf") << "nameserver 192.0.2.53\n";
    const json config = bridge_config({{"ipam", ipam({"10.9.0.0/24"}, {{"resolvConf", "/run/resolv.conf"}})}});
    CHECK(added(config)["dns"] == json{{"nameservers", {"192.0.2.53"}}});
}

TEST_CASE("bridge: an unknown key is named with the nearest known one and ignored") {
    World world;
    world.netns("c1");
    const Answer answer = bridge("ADD", bridge_config({{"hairpinmod", true}}));
    CHECK(answer.ok());
    CHECK(contains(answer.err, "hairpinmod"));
    CHECK(contains(answer.err, "hairpinMode"));
}
