// SPDX-License-Identifier: Apache-2.0
// bridge: the gateway interface "<bridge>.<vlan>" of a network with a VLAN.
#include <doctest/doctest.h>

#include <fstream>

#include "vlan_call.h"

using namespace test;

namespace {

constexpr int killed = 137;

void check_gateway(const std::string& netns) {
    CHECK(reaches_gateway(netns));
    CHECK(contains(sh("ip -o link show br0.100"), "state UP"));
    CHECK(vlans_of(gateway_port()) == "100 native");
    const std::string addresses = sh("ip -o addr show dev br0.100 scope global");
    CHECK_MESSAGE(contains(addresses, " 10.9.0.1/24 "), addresses);
    CHECK_MESSAGE(contains(addresses, " fd09::1/64 "), addresses);
}

// What br_netfilter does where it is loaded; false where it is not.
bool bridged_packets_pass_netfilter(bool on) {
    return works("cd /proc/sys/net/bridge && for key in bridge-nf-call-iptables bridge-nf-call-ip6tables; do echo " +
                 std::string(on ? "1" : "0") + " >$key; done");
}

} // namespace

TEST_CASE("bridge vlan gateway: a dual-stack network has its gateway addresses on the VLAN's interface") {
    World world;
    const std::string c1 = world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json result = added(vlan_config());
    REQUIRE(result["interfaces"].size() == 4);
    const json& gateway = result["interfaces"][3];
    CHECK(gateway["name"] == "br0.100");
    CHECK(gateway["mac"] == json::parse(sh("ip -j link show br0.100"))[0]["address"]);
    CHECK(!gateway.contains("sandbox"));
    for (const json& ip : result["ips"])
        CHECK(ip["interface"] == 2);
    check_gateway(c1);
    CHECK(vlans_of(host_veth(result)) == "100 native");
    CHECK(sh("ip -o addr show dev br0 scope global").empty());
    CHECK(contains(sh("ip route show default", c1), "via 10.9.0.1"));
    CHECK(sysctl("ipv4/ip_forward") == "1");
    CHECK(sysctl("ipv6/conf/all/forwarding") == "1");
}

TEST_CASE("bridge vlan gateway: CHECK works and DEL leaves nothing of the container, but the gateway") {
    World world;
    const std::string c1 = world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json result = added(vlan_config());
    const std::string port = gateway_port();
    CHECK(bridge("CHECK", vlan_config(), "c1", result).ok());
    for (int times = 0; times < 2; ++times)
        CHECK(bridge("DEL", vlan_config(), "c1", result).ok());
    CHECK(!works("ip link show eth0", c1));
    CHECK(!works("ip link show " + host_veth(result)));
    CHECK(leases("net").empty());
    CHECK(!contains(sh("nft list ruleset"), "10.9.0.2"));
    CHECK(gateway_port() == port);
    CHECK(contains(sh("ip -o addr show dev br0.100"), " 10.9.0.1/24 "));
}

TEST_CASE("bridge vlan gateway: a second container uses the same, with the default VLAN kept or not") {
    for (const bool preserve : {false, true}) {
        World world;
        const std::string c1 = world.netns("c1"), c2 = world.netns("c2");
        if (!kernel_filters_vlans())
            SKIP_CASE(no_vlan_filtering);
        const json config = vlan_config({{"preserveDefaultVlan", preserve}});
        const json first = added(config), second = added(config, "c2");
        CHECK(first["interfaces"][3] == second["interfaces"][3]);
        CHECK(vlans_of(gateway_port()) == (preserve ? "1 untagged, 100 native" : "100 native"));
        CHECK(reaches_gateway(c1));
        CHECK(reaches_gateway(c2));
        CHECK(pings(c1, "10.9.0.3"));
    }
}

TEST_CASE("bridge vlan gateway: without isGateway there is none") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json result = added(vlan_config({{"isDefaultGateway", false}, {"isGateway", false}}));
    CHECK(result["interfaces"].size() == 3);
    CHECK(!works("ip link show br0.100"));
}

// The packets are masqueraded on their way through the bridge, which has no address for them, and dropped.
TEST_CASE("bridge vlan gateway: masquerade is warned of where bridged packets pass through netfilter, else works") {
    World world;
    const std::string c1 = world.netns("c1");
    world.netns("c2");
    world.outside();
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    if (bridged_packets_pass_netfilter(true)) {
        const Answer answer = bridge("ADD", vlan_config());
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK_MESSAGE(contains(answer.err, "net.bridge.bridge-nf-call-iptables"), answer.err);
        CHECK_MESSAGE(contains(answer.err, "net.bridge.bridge-nf-call-ip6tables"), answer.err);
        CHECK(!contains(bridge("ADD", vlan_config({{"ipMasq", false}}), "c2").err, "nf-call"));
        CHECK(bridge("DEL", vlan_config()).ok());
        bridged_packets_pass_netfilter(false);
    }
    const Answer answer = bridge("ADD", vlan_config());
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK_MESSAGE(!contains(answer.err, "nf-call"), answer.err);
    CHECK(pings(c1, "192.0.2.2"));
    CHECK(pings(c1, "2001:db8::2"));
}

TEST_CASE("bridge vlan gateway: two VLANs of a bridge have each their own, and the host routes between them") {
    World world;
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    added(vlan_config({{"ipMasq", false}}));
    added(vlan_config({{"ipMasq", false}, {"name", "other"}, {"vlan", 200}, {"ipam", ipam({"10.8.0.0/24"})}}), "c2");
    CHECK(contains(sh("ip -o addr show dev br0.200"), " 10.8.0.1/24 "));
    CHECK(pings(c1, "10.8.0.2"));
    sh("echo 0 >/proc/sys/net/ipv4/ip_forward");
    CHECK(!works("ping -c1 -W1 10.8.0.2", c1));
}

TEST_CASE("bridge vlan gateway: it has the bridge's MTU") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    added(vlan_config({{"mtu", 1400}}));
    CHECK(contains(sh("ip -o link show br0.100"), " mtu 1400 "));
    CHECK(contains(sh("ip -o link show " + gateway_port()), " mtu 1400 "));
}

TEST_CASE("bridge vlan gateway: ten ADDs at once on a new VLAN all succeed, and the gateway answers each") {
    World world;
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    std::ofstream("/run/config") << vlan_config().dump();
    for (int i = 0; i < 10; ++i)
        world.netns("p" + std::to_string(i));
    CHECK(sh("export CNI_COMMAND=ADD CNI_IFNAME=eth0 CNI_PATH=" + bin_dir() +
             "; for i in $(seq 0 9); do (CNI_CONTAINERID=p$i CNI_NETNS=/run/netns/p$i " + bin_dir() +
             "/bridge < /run/config > /run/out.$i 2>&1 || { echo p$i; cat /run/out.$i; }) & done; wait") == "");
    CHECK(sh("ip -o link show type veth master br0 | wc -l") == "11\n");
    for (int i = 0; i < 10; ++i)
        check_gateway("/run/netns/p" + std::to_string(i));
}

TEST_CASE("bridge vlan gateway: a half-made one is completed") {
    const std::string pair = "ip link add br0.100 type veth peer name half; ";
    const std::string port = pair + "ip link set half master br0; ";
    const std::string tagged =
        port + "bridge vlan del vid 1 dev half; bridge vlan add vid 100 pvid untagged dev half; ";
    for (const std::string& state :
         {pair, port, pair + "ip link set half up; ip link set br0.100 up; ",
          port + "ip link set half up; ip link set br0.100 up; ", tagged, tagged + "ip link set half up; ",
          tagged + "ip link set half up; ip link set br0.100 up; "}) {
        CAPTURE(state);
        World world;
        const std::string c1 = world.netns("c1");
        if (!kernel_filters_vlans())
            SKIP_CASE(no_vlan_filtering);
        sh("ip link add br0 type bridge vlan_filtering 1; ip link set br0 up; " + state);
        added(vlan_config());
        CHECK(gateway_port() == "half");
        check_gateway(c1);
    }
}

TEST_CASE("bridge vlan gateway: an ADD killed anywhere is cleaned up by DEL and no obstacle to the next ADD") {
    for (int number = 20;; number += 25) {
        World world;
        const std::string c1 = world.netns("c1");
        if (!kernel_filters_vlans())
            SKIP_CASE(no_vlan_filtering);
        const Answer first = invoke({.plugin = "bridge",
                                     .config = vlan_config(),
                                     .netns = c1,
                                     .wrapper = {FAILAT, std::to_string(number), "KILL"}});
        CAPTURE(number);
        if (number % 2 == 0 || first.status != killed) {
            CHECK(bridge("DEL", vlan_config()).ok());
            CHECK(sh("ip -o link show type veth | grep -v -e ' br0.100@' -e '@br0.100:'; true").empty());
            CHECK(leases("net").empty());
        }
        if (first.status != killed)
            break;
        if (number % 2 != 0 && !first.out.empty())
            continue; // the runtime has its result
        const Answer answer = bridge("ADD", vlan_config());
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        check_gateway(c1);
        CHECK(bridge("DEL", vlan_config()).ok());
        CHECK(leases("net").empty());
    }
}

TEST_CASE("bridge vlan gateway: an interface of that name that somebody made is taken as it is") {
    World world;
    const std::string c1 = world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    sh("ip link add br0 type bridge vlan_filtering 1; ip link set br0 up; bridge vlan add vid 100 dev br0 self");
    sh("ip link add link br0 name br0.100 type vlan id 100; ip link set br0.100 up");
    const json result = added(vlan_config());
    CHECK(result["interfaces"][3]["name"] == "br0.100");
    CHECK(contains(sh("ip -d link show br0.100"), "vlan protocol 802.1Q id 100"));
    CHECK(reaches_gateway(c1));
}

TEST_CASE("bridge vlan gateway: one whose other end somebody has elsewhere is taken as it is") {
    World world;
    world.netns("c1");
    const std::string c2 = world.netns("c2");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    sh("ip link add br1 type bridge; ip link add br0.100 type veth peer name theirs; ip link set theirs master br1");
    added(vlan_config());
    CHECK(contains(sh("ip -o link show theirs"), " master br1 "));
    CHECK(vlans_of("theirs") == "1 native");
    CHECK(bridge("DEL", vlan_config()).ok());
    sh("ip link set theirs netns c2");
    added(vlan_config());
    CHECK(!contains(sh("ip -o link show theirs", c2), "master"));
}

TEST_CASE("bridge vlan gateway: another address on it is a conflict, and forceAddress replaces it") {
    World world;
    world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    sh("ip link add br0 type bridge vlan_filtering 1; ip link add br0.100 type veth peer name half");
    sh("ip addr add 10.8.0.1/24 dev br0.100");
    const Answer answer = bridge("ADD", vlan_config());
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to set vlan interface for bridge with addr: \"br0.100\" already has an IP address "
                          "different from 10.9.0.1/24");
    CHECK(leases("net").empty());
    CHECK(bridge("DEL", vlan_config()).ok());
    added(vlan_config({{"forceAddress", true}}));
    CHECK(!contains(sh("ip -o addr show dev br0.100"), " 10.8.0.1/24 "));
}

TEST_CASE("bridge vlan gateway: a name too long for an interface is refused before anything is made") {
    World world;
    world.netns("c1");
    const Answer answer = bridge("ADD", vlan_config({{"bridge", "twelve-bytes"}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to create vlan interface: \"twelve-bytes.100\": its name has 16 bytes, 15 at most; "
                          "choose a shorter name for the key \"bridge\"");
    CHECK(!works("ip link show twelve-bytes"));
    CHECK(leases("net").empty());
}

TEST_CASE("bridge vlan gateway: GC takes the container and leaves the gateway") {
    World world;
    const std::string c1 = world.netns("c1");
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    const json result = added(vlan_config());
    const std::string port = gateway_port();
    CHECK(bridge("GC", vlan_config({{"cniVersion", "1.1.0"}, {"cni.dev/valid-attachments", json::array()}})).ok());
    CHECK(!works("ip link show eth0", c1));
    CHECK(gateway_port() == port);
}

TEST_CASE("bridge vlan gateway: a whole chain works behind it, and DEL leaves nothing of it") {
    World world;
    const std::string c1 = world.netns("c1"), outside = world.outside();
    if (!kernel_filters_vlans())
        SKIP_CASE(no_vlan_filtering);
    bridged_packets_pass_netfilter(false);
    const std::vector<json> chain = behind_bridge("open");
    json result = added(vlan_config());
    for (json config : chain) {
        config["prevResult"] = result;
        const Answer answer = invoke({.plugin = config["type"], .config = config, .netns = c1});
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        result = answer.document();
    }
    const Server server(c1, "tcp", 80, "c1");
    CHECK(ask(outside, "tcp", "192.0.2.1", 8080) == "c1 192.0.2.2");
    CHECK(pings(c1, "192.0.2.2"));
    for (auto config = chain.rbegin(); config != chain.rend(); ++config) {
        json with = *config;
        with["prevResult"] = result;
        const Answer answer = invoke({.plugin = with["type"], .command = "DEL", .config = with, .netns = c1});
        CHECK_MESSAGE(answer.ok(), answer.out);
    }
    CHECK(bridge("DEL", vlan_config(), "c1", result).ok());
    CHECK(!contains(sh("nft list ruleset"), "10.9.0.2"));
    CHECK(sh("ip -o link show type ifb").empty());
}
