// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "cni/error.h"
#include "config.h"
#include "endpoint/host_veth.h"
#include "gateway.h"

namespace {

cni::Invocation call_with(std::string_view config) {
    cni::Invocation call;
    call.command = "ADD";
    call.container_id = "c1";
    call.ifname = "eth0";
    call.network = "net";
    call.version = "1.1.0";
    call.config = cni::Object::parse(config);
    return call;
}

std::string refusal(std::string_view config, std::string args = {}) {
    cni::Invocation call = call_with(config);
    call.args = std::move(args);
    try {
        (void)bridge::parse(call);
    } catch (const cni::Error& error) {
        return error.message();
    }
    return "accepted";
}

inet::Prefix prefix(std::string_view text) {
    return inet::Prefix::parse(text).value();
}
inet::Address address(std::string_view text) {
    return inet::Address::parse(text).value();
}

} // namespace

TEST_CASE("bridge config: defaults are the Go suite's") {
    const bridge::Config config = bridge::parse(call_with("{}"));
    CHECK(config.bridge == "cni0");
    CHECK_FALSE(config.is_gateway);
    CHECK(config.mtu == 0);
    CHECK_FALSE(config.layer3());
}

TEST_CASE("bridge config: isDefaultGateway implies isGateway, ipMasq needs ipam") {
    CHECK(bridge::parse(call_with(R"({"isDefaultGateway":true})")).is_gateway);
    CHECK_FALSE(bridge::parse(call_with(R"({"ipMasq":true})")).ip_masq);
    CHECK(bridge::parse(call_with(R"({"ipMasq":true,"ipam":{"type":"host-local"}})")).ip_masq);
}

TEST_CASE("bridge config: keys match whatever their letter case") {
    CHECK(bridge::parse(call_with(R"({"BRIDGE":"br7","ISGATEWAY":true})")).bridge == "br7");
}

TEST_CASE("bridge config: refusals keep the Go suite's words") {
    CHECK(refusal(R"({"bridge":""})") ==
          R"(failed to create bridge "": could not add "": LinkAttrs.Name cannot be empty)");
    CHECK(
        refusal(R"({"bridge":"sixteen-bytes-xx"})") ==
        R"(failed to create bridge "sixteen-bytes-xx": could not add "sixteen-bytes-xx": numerical result out of range)");
    CHECK(refusal(R"({"hairpinMode":true,"promiscMode":true})") ==
          "cannot set hairpin mode and promiscuous mode at the same time");
    CHECK(refusal(R"({"disableContainerInterface":true,"ipam":{"type":"host-local"}})") ==
          "cannot use IPAM when DisableContainerInterface flag is set");
    CHECK(refusal("{}", "MAC=zz") == "failed to make veth pair: address zz: invalid MAC address");
    CHECK(refusal("{}", "FOO=1") == R"(ARGS: unknown args ["FOO=1"])");
}

TEST_CASE("bridge config: VLAN keys out of range are refused in the Go suite's words") {
    const auto trunk = [](const std::string& entry) { return refusal(R"({"vlanTrunk":[)" + entry + "]}"); };
    for (const std::string bad : {"-1", "4095", "5000", "99999999999"})
        CHECK(refusal(R"({"vlan":)" + bad + "}") == "invalid VLAN ID " + bad + " (must be between 0 and 4094)");
    for (const std::string bad : {"0", "-1", "4095", "65537"}) {
        CHECK(trunk(R"({"id":)" + bad + "}") == "incorrect trunk id parameter");
        CHECK(trunk(R"({"minID":)" + bad + R"(,"maxID":5})") == "incorrect trunk minID parameter");
        CHECK(trunk(R"({"minID":5,"maxID":)" + bad + "}") == "incorrect trunk maxID parameter");
    }
    CHECK(trunk(R"({"minID":0,"maxID":0})") == "incorrect trunk minID parameter");
    CHECK(trunk(R"({"minID":6,"maxID":5})") == "minID is greater than maxID in trunk parameter");
    CHECK(trunk(R"({"maxID":5})") == "minID and maxID should be configured simultaneously, minID is missing");
    CHECK(trunk(R"({"minID":5,"id":7})") == "minID and maxID should be configured simultaneously, maxID is missing");
    CHECK(trunk(R"({"minID":5,"maxID":6,"id":0})") == "incorrect trunk id parameter");
    CHECK(trunk(R"({"id":5},{"id":0})") == "incorrect trunk id parameter");
    CHECK(refusal(R"({"vlan":5000,"vlanTrunk":[{"id":0}]})") == "invalid VLAN ID 5000 (must be between 0 and 4094)");
}

TEST_CASE("bridge config: VLAN keys of a wrong type name the key") {
    CHECK(refusal(R"({"vlan":"5"})") == R"(failed to load netconf: key "vlan" is a string ("5"): must be an integer)");
    CHECK(refusal(R"({"vlanTrunk":5})") ==
          R"(failed to load netconf: key "vlanTrunk" is a number (5): must be a list of objects)");
    CHECK(refusal(R"({"vlanTrunk":[{},7]})") ==
          R"(failed to load netconf: key "vlanTrunk[1]" is a number (7): must be an object)");
    CHECK(refusal(R"({"vlanTrunk":[{"id":"x"}]})") ==
          R"(failed to load netconf: key "vlanTrunk[0].id" is a string ("x"): must be an integer)");
    CHECK(refusal(R"({"preserveDefaultVlan":1})") ==
          R"(failed to load netconf: key "preserveDefaultVlan" is a number (1): must be true or false)");
}

// The Go suite panics.
TEST_CASE("bridge config: null in vlanTrunk is refused") {
    CHECK(refusal(R"({"vlanTrunk":[{"id":5},null]})") ==
          R"(failed to load netconf: key "vlanTrunk[1]" is null: must be an object with id, or with minID and maxID)");
}

TEST_CASE("bridge config: a vlan of 0 and no vlanTrunk ask for nothing") {
    for (const std::string_view keys :
         {R"({})", R"({"vlan":0})", R"({"vlan":null,"vlanTrunk":null})", R"({"preserveDefaultVlan":false})"})
        CHECK(bridge::parse(call_with(keys)).vlans == bridge::Vlans{});
}

TEST_CASE("bridge config: vlanTrunk's ranges and ids become ranges apart from each other") {
    const auto trunk_of = [](std::string_view keys) {
        std::string text;
        for (const netlink::PortVlan& range : bridge::parse(call_with(keys)).vlans.trunk) {
            CHECK_FALSE((range.pvid || range.untagged));
            text += std::to_string(range.first) + "-" + std::to_string(range.last) + " ";
        }
        return text;
    };
    CHECK(trunk_of(R"({"vlanTrunk":[{"id":101},{"minID":200,"maxID":210}]})") == "101-101 200-210 ");
    CHECK(trunk_of(R"({"vlanTrunk":[{"minID":200,"maxID":210,"id":7}]})") == "7-7 200-210 ");
    CHECK(trunk_of(R"({"vlanTrunk":[{"id":7},{"id":6},{"id":7},{"id":9}]})") == "6-7 9-9 ");
    CHECK(trunk_of(R"({"vlanTrunk":[{"minID":1,"maxID":9},{"minID":3,"maxID":4},{"minID":10,"maxID":4094}]})") ==
          "1-4094 ");
    CHECK(trunk_of(R"({"vlanTrunk":[{"minID":5,"maxID":5}]})") == "5-5 ");
}

TEST_CASE("bridge config: an empty vlanTrunk asks a new bridge to filter, and for no VLAN") {
    for (const std::string_view keys : {R"({"vlanTrunk":[]})", R"({"vlanTrunk":[{}]})"}) {
        const bridge::Vlans vlans = bridge::parse(call_with(keys)).vlans;
        CHECK(vlans.filtering);
        CHECK_FALSE(vlans.any());
    }
}

TEST_CASE("bridge config: preserveDefaultVlan is off unless it is asked for") {
    CHECK_FALSE(bridge::parse(call_with(R"({"vlan":5})")).vlans.preserve_default);
    CHECK(bridge::parse(call_with(R"({"vlan":5,"preserveDefaultVlan":true})")).vlans.preserve_default);
}

TEST_CASE("bridge config: a VLAN whose gateway interface's name would be too long is refused") {
    const auto of = [](std::string_view more) {
        return refusal(R"({"bridge":"elevenbytes","vlan":1000)" + std::string(more) + "}");
    };
    CHECK(of(R"(,"isDefaultGateway":true,"ipam":{"type":"host-local"})") ==
          R"(failed to create vlan interface: "elevenbytes.1000": its name has 16 bytes, 15 at most; )"
          R"(choose a shorter name for the key "bridge")");
    CHECK(of(R"(,"ipam":{"type":"host-local"})") == "accepted");
    CHECK(of(R"(,"isGateway":true)") == "accepted");
    CHECK(refusal(R"({"bridge":"elevenbytes","vlan":100,"isGateway":true,"ipam":{"type":"host-local"}})") ==
          "accepted");
}

TEST_CASE("bridge config: a wrong type names the key, what was found and what is allowed") {
    CHECK(
        refusal(R"({"mtu":"big"})").starts_with(R"(failed to load netconf: key "mtu" is a string ("big"): must be )"));
}

TEST_CASE("bridge config: MAC from runtimeConfig before args.cni before CNI_ARGS") {
    cni::Invocation call = call_with(R"({"args":{"cni":{"mac":"02:00:00:00:00:02"}},
                                         "runtimeConfig":{"mac":"02:00:00:00:00:03"}})");
    call.args = "MAC=02:00:00:00:00:01";
    CHECK(bridge::parse(call).mac->text() == "02:00:00:00:00:03");
    call.config = cni::Object::parse(R"({"args":{"cni":{"mac":"02:00:00:00:00:02"}}})");
    CHECK(bridge::parse(call).mac->text() == "02:00:00:00:00:02");
    call.config = cni::Object::parse("{}");
    CHECK(bridge::parse(call).mac->text() == "02:00:00:00:00:01");
}

TEST_CASE("bridge gateways: a missing one is the subnet's first address") {
    cni::Result result;
    result.ips = {{.address = prefix("10.1.2.5/24")}, {.address = prefix("fd00::5/64")}};
    bridge::Config config;
    config.is_gateway = true;
    const auto gateways = bridge::complete_gateways(config, result);
    REQUIRE(gateways.size() == 2);
    CHECK(gateways[0].text() == "10.1.2.1/24");
    CHECK(gateways[1].text() == "fd00::1/64");
    CHECK(result.ips[0].interface == 2);
    CHECK(result.routes.empty());
}

TEST_CASE("bridge gateways: a default route a family, the IPAM's own is kept, one without gateway is completed") {
    bridge::Config config;
    config.is_gateway = config.is_default_gateway = true;
    cni::Result result;
    result.ips = {{.address = prefix("10.1.2.5/24"), .gateway = address("10.1.2.1")},
                  {.address = prefix("fd00::5/64"), .gateway = address("fd00::1")}};
    result.routes = {{.dst = prefix("0.0.0.0/0")}, {.dst = prefix("::/0"), .gw = address("fd00::9")}};
    (void)bridge::complete_gateways(config, result);
    REQUIRE(result.routes.size() == 2);
    CHECK(result.routes[0].gw == address("10.1.2.1"));
    CHECK(result.routes[1].gw == address("fd00::9"));

    result.routes.clear();
    (void)bridge::complete_gateways(config, result);
    REQUIRE(result.routes.size() == 2);
    CHECK(result.routes[0].dst->text() == "0.0.0.0/0");
    CHECK(result.routes[1].dst->text() == "::/0");
}

TEST_CASE("host veth: name and alias follow from the owner alone") {
    const std::string name = endpoint::host_veth_name("net/c1/eth0");
    CHECK(name.size() == 12);
    CHECK(name.starts_with("veth"));
    CHECK(name == endpoint::host_veth_name("net/c1/eth0"));
    CHECK(name != endpoint::host_veth_name("net/c1/eth1"));
    CHECK(name != endpoint::host_veth_name("net/c1/eth0", 1));
    CHECK(endpoint::owner_in_alias("cnative:net/c1/eth0") == "net/c1/eth0");
    CHECK(endpoint::owner_in_alias("cnative:net/c1/eth0;pending") == "net/c1/eth0");
    CHECK_FALSE(endpoint::owner_in_alias("uplink to rack 7"));
}
