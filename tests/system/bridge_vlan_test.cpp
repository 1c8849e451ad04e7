// SPDX-License-Identifier: Apache-2.0
// bridge: vlan, vlanTrunk and preserveDefaultVlan, as the kernel shows them of a container's port. The gateway of a
// VLAN is in bridge_vlan_gateway_test.cpp.
#include <doctest/doctest.h>

#include "vlan_call.h"

using namespace test;

namespace {

const json two_trunks = json::array({{{"id", 101}}, {{"minID", 200}, {"maxID", 210}}});

std::string vlans_after_add(const json& keys) {
    return vlans_of(host_veth(added(layer2_config(keys))));
}

} // namespace

TEST_CASE("bridge vlan: on a kernel that filters none, ADD and STATUS name the option and nothing is left") {
    World world;
    world.netns("c1");
    if (kernel_filters_vlans())
        SKIP_CASE("this kernel filters VLANs of bridges");
    for (const json& keys :
         {json{{"vlan", 100}}, json{{"vlanTrunk", two_trunks}}, json{{"vlanTrunk", json::array()}}}) {
        const Answer answer = bridge("ADD", bridge_config(keys));
        CHECK(answer.code() == 999);
        CHECK_MESSAGE(contains(answer.msg(), "needs CONFIG_BRIDGE_VLAN_FILTERING"), answer.msg());
        CHECK(sh("ip -o link | grep -v ' lo:'; true").empty());
        CHECK(leases("net").empty());
        json config = bridge_config(keys);
        config["cniVersion"] = "1.1.0";
        const Answer status = bridge("STATUS", config);
        CHECK(status.code() == 50);
        CHECK_MESSAGE(contains(status.msg(), "needs CONFIG_BRIDGE_VLAN_FILTERING"), status.msg());
    }
    sh("ip link add br0 type bridge");
    const Answer answer = bridge("ADD", bridge_config({{"vlan", 100}}));
    CHECK_MESSAGE(contains(answer.msg(), "needs CONFIG_BRIDGE_VLAN_FILTERING"), answer.msg());
    CHECK(ports().empty());
    CHECK(leases("net").empty());
}

TEST_CASE("bridge vlan: a port is in its VLAN and in no other") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlan", 100}}) == "100 native");
    CHECK(contains(sh("ip -d link show br0"), " vlan_filtering 1 "));
}

TEST_CASE("bridge vlan: a trunk has its VLANs tagged and VLAN 1 as the native one") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlanTrunk", two_trunks}}) == "1 native, 101, 200-210");
}

TEST_CASE("bridge vlan: a trunk with a vlan has that as the native one") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlan", 100}, {"vlanTrunk", two_trunks}}) == "100 native, 101, 200-210");
}

// The Go suite adds the tags after it and so takes the native role away: what the container sends is dropped.
TEST_CASE("bridge vlan: a vlan that the trunk has too stays the native one") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json all = json::array({{{"minID", 99}, {"maxID", 102}}});
    CHECK(vlans_after_add({{"vlan", 100}, {"vlanTrunk", all}}) == "99, 100 native, 101-102");
}

TEST_CASE("bridge vlan: preserveDefaultVlan leaves the port in the default VLAN as well") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlan", 100}, {"preserveDefaultVlan", true}}) == "1 untagged, 100 native");
}

TEST_CASE("bridge vlan: preserveDefaultVlan false, written out, takes the port out of the default VLAN") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlan", 100}, {"preserveDefaultVlan", false}}) == "100 native");
}

TEST_CASE("bridge vlan: the default VLAN of a bridge may be another than 1") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    for (const std::string default_vlan : {"7", "100", "0"}) {
        sh("ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid " + default_vlan);
        CHECK(vlans_after_add({{"vlan", 100}}) == "100 native");
        CHECK(bridge("DEL", layer2_config({{"vlan", 100}})).ok());
        CHECK(vlans_after_add({{"vlanTrunk", two_trunks}}) == "1 native, 101, 200-210");
        CHECK(bridge("DEL", layer2_config({{"vlan", 100}})).ok());
        sh("ip link del br0");
    }
}

TEST_CASE("bridge vlan: vlan 1 is the default one, and a trunk may hold it") {
    World world;
    world.netns("c1");
    world.netns("c2");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlan", 1}}) == "1 native");
    const json trunk = json::array({{{"minID", 1}, {"maxID", 3}}});
    CHECK(vlans_of(host_veth(added(layer2_config({{"vlan", 9}, {"vlanTrunk", trunk}}), "c2"))) == "1-3, 9 native");
}

TEST_CASE("bridge vlan: an empty vlanTrunk makes a bridge that filters, and leaves the port in the default VLAN") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    CHECK(vlans_after_add({{"vlanTrunk", json::array()}}) == "1 native");
    CHECK(contains(sh("ip -d link show br0"), " vlan_filtering 1 "));
}

TEST_CASE("bridge vlan: without VLAN keys a new bridge does not filter") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    added(layer2_config({{"vlan", 0}}));
    CHECK(contains(sh("ip -d link show br0"), " vlan_filtering 0 "));
}

TEST_CASE("bridge vlan: a trunk with more VLANs than one request holds has all of them") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    json every_second = json::array();
    for (int vlan = 2; vlan < 1000; vlan += 2)
        every_second.push_back({{"id", vlan}});
    every_second.push_back({{"minID", 1001}, {"maxID", 4094}});
    const std::string port = host_veth(added(layer2_config({{"vlanTrunk", every_second}})));
    const json vlans = json::parse(sh("bridge -j vlan show dev " + port))[0]["vlans"];
    CHECK(vlans.size() == 1 + 499 + 3094);
    CHECK(vlans[0]["vlan"] == 1);
    CHECK(vlans[499]["vlan"] == 998);
    CHECK(vlans.back()["vlan"] == 4094);
}

TEST_CASE("bridge vlan: containers of one VLAN meet, those of two do not") {
    World world;
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2"), c3 = world.netns("c3");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    added(layer2_config({{"vlan", 100}}), "c1");
    added(layer2_config({{"vlan", 100}}), "c2");
    added(layer2_config({{"vlan", 200}}), "c3");
    for (const std::string number : {"1", "2", "3"})
        sh("ip addr add 198.51.100." + number + "/24 dev eth0", "/run/netns/c" + number);
    CHECK(pings(c1, "198.51.100.2"));
    CHECK(!works("ping -c2 -W1 198.51.100.3", c1));
    CHECK(!works("ping -c2 -W1 198.51.100.1", c3));
}

TEST_CASE("bridge vlan: a trunk carries tagged frames to the VLAN's containers") {
    World world;
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2");
    if (!kernel_filters_vlans() || !works("ip link add probe type dummy && ip link add link probe type vlan id 5"))
        SKIP_CASE(no_vlan_filtering);
    added(layer2_config({{"vlan", 101}}), "c1");
    added(layer2_config({{"vlanTrunk", two_trunks}}), "c2");
    sh("ip addr add 198.51.100.1/24 dev eth0", c1);
    sh("ip link add link eth0 name eth0.101 type vlan id 101; ip addr add 198.51.100.2/24 dev eth0.101", c2);
    sh("ip link set eth0.101 up", c2);
    CHECK(pings(c1, "198.51.100.2"));
}

TEST_CASE("bridge vlan: a bridge that filters none is warned of, and left as it is") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    sh("ip link add br0 type bridge");
    const Answer answer = bridge("ADD", layer2_config({{"vlan", 100}}));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK_MESSAGE(contains(answer.err, "bridge br0 does not filter VLANs"), answer.err);
    CHECK_MESSAGE(contains(answer.err, "ip link set br0 type bridge vlan_filtering 1"), answer.err);
    CHECK(contains(sh("ip -d link show br0"), " vlan_filtering 0 "));
    CHECK(vlans_of(host_veth(answer.document())) == "100 native");
}

TEST_CASE("bridge vlan: a bridge that filters is no matter for a warning") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    sh("ip link add br0 type bridge vlan_filtering 1");
    const Answer answer = bridge("ADD", layer2_config({{"vlan", 100}}));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.err.empty());
}

TEST_CASE("bridge vlan: CHECK finds a VLAN gone, or with another role") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json config = layer2_config({{"vlan", 100}, {"vlanTrunk", two_trunks}});
    const json result = added(config);
    const std::string port = host_veth(result);
    const auto check = [&] { return bridge("CHECK", config, "c1", result); };
    CHECK_MESSAGE(check().ok(), check().out);
    sh("bridge vlan del vid 205 dev " + port);
    CHECK(check().msg() == "Interface " + port + " does not have VLAN 205 tagged");
    sh("bridge vlan add vid 205 dev " + port + "; bridge vlan add vid 101 untagged dev " + port);
    CHECK(check().msg() == "Interface " + port + " does not have VLAN 101 tagged");
    sh("bridge vlan add vid 101 dev " + port + "; bridge vlan add vid 100 dev " + port);
    CHECK(check().msg() == "Interface " + port + " does not have VLAN 100 as its native one");
    sh("bridge vlan add vid 100 pvid untagged dev " + port + "; bridge vlan add vid 300 dev " + port);
    CHECK_MESSAGE(check().ok(), check().out);
}

TEST_CASE("bridge vlan: DEL whose VLAN keys ADD would refuse removes everything") {
    World world;
    const std::string c1 = world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json bad = json::array({{{"minID", 5}}});
    for (const json& broken : {json{{"vlan", 5000}}, json{{"vlan", "x"}}, json{{"vlanTrunk", bad}}}) {
        added(vlan_config({{"isDefaultGateway", false}}));
        const Answer answer = bridge("DEL", vlan_config(broken));
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(!works("ip link show eth0", c1));
        CHECK(leases("net").empty());
    }
}

TEST_CASE("bridge vlan: STATUS is content where the kernel filters VLANs") {
    World world;
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const Answer answer = bridge("STATUS", layer2_config({{"cniVersion", "1.1.0"}, {"vlan", 100}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(sh("ip -o link | grep -v ' lo:'; true").empty());
}
