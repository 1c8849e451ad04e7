// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "../../plugins/meta/firewall/config.h"
#include "cni/error.h"
#include "os/text.h"

namespace {

cni::Invocation call_with(std::string_view config) {
    cni::Invocation call;
    call.command = "CHECK"; // ADD speaks to the operator
    call.network = "net";
    call.version = "1.1.0";
    call.config = cni::Object::parse(config);
    return call;
}

std::string refusal(std::string_view config) {
    try {
        (void)firewall::parse(call_with(config));
    } catch (const cni::Error& error) {
        CHECK(error.code() == cni::Code::plugin);
        return error.message();
    }
    return "accepted";
}

firewall::Config config_with(std::string_view policy, std::string_view interfaces, std::string_view ips = "") {
    return firewall::parse(
        call_with(os::cat(R"({"ingressPolicy":")", policy, R"(","prevResult":{"cniVersion":"1.1.0","interfaces":[)",
                          interfaces, R"(],"ips":[)", ips, "]}}")));
}

std::string ingress_error(std::string_view policy, std::string_view interfaces) {
    try {
        (void)firewall::ingress_of(config_with(policy, interfaces));
    } catch (const cni::Error& error) {
        return error.message();
    }
    return "accepted";
}

} // namespace

TEST_CASE("firewall config: defaults, for absent and for empty keys") {
    for (const std::string_view text :
         {"{}", R"({"backend":"","firewalldZone":"","iptablesAdminChainName":"","ingressPolicy":""})"}) {
        const firewall::Config config = firewall::parse(call_with(text));
        CHECK(config.firewalld == firewall::Firewalld::if_running);
        CHECK(config.zone == "trusted");
        CHECK(config.admin_chain == "CNI-ADMIN");
        CHECK(firewall::ingress_of(config).policy == nft::Ingress::open);
        CHECK_FALSE(config.prev_result);
    }
}

TEST_CASE("firewall config: which backend tells firewalld") {
    const auto told = [](std::string_view backend) {
        return firewall::parse(call_with(os::cat(R"({"backend":")", backend, "\"}"))).firewalld;
    };
    CHECK(told("firewalld") == firewall::Firewalld::always);
    CHECK(told("iptables") == firewall::Firewalld::never);
    CHECK(told("nftables") == firewall::Firewalld::never);
    CHECK(told("Firewalld") == firewall::Firewalld::if_running);
}

TEST_CASE("firewall config: what is refused, and how") {
    CHECK(refusal(R"({"firewalldZone":5})").starts_with("failed to load netconf: key \"firewalldZone\""));
    CHECK(refusal(R"({"firewalldZone":"a b"})").starts_with("failed to load netconf: "));
    CHECK(refusal(R"({"firewalldZone":"a\u0000b"})").starts_with("failed to load netconf: "));
    CHECK(refusal(R"({"prevResult":{"ips":[{"address":"x"}]}})")
              .starts_with("could not parse prevResult: could not parse prevResult: "));
    for (const std::string_view name :
         {"-A", "!x", "a b", "a\\tb", "12345678901234567890123456789", "CNI-FORWARD", "FORWARD"})
        CHECK(refusal(os::cat(R"({"iptablesAdminChainName":")", name, "\"}"))
                  .starts_with("failed to load netconf: key \"iptablesAdminChainName\""));
    CHECK(refusal(R"({"iptablesAdminChainName":"1234567890123456789012345678"})") == "accepted");
}

TEST_CASE("firewall config: DEL takes what can be read") {
    CHECK(firewall::parse_leniently(call_with(R"({"firewalldZone":5,"prevResult":7})")).zone == "trusted");
    CHECK(firewall::parse_leniently(call_with(R"({"firewalldZone":"x","prevResult":{"ips":7}})")).zone == "x");
}

TEST_CASE("firewall config: a policy needs the bridge, the first of the interfaces") {
    constexpr std::string_view three = R"({"name":"br0"},{"name":"veth1"},{"name":"eth0","sandbox":"/n"})";
    const auto same = firewall::ingress_of(config_with("same-bridge", three));
    CHECK(same.policy == nft::Ingress::same_bridge);
    CHECK(same.bridge == "br0");
    CHECK(same.ports.empty());
    const auto isolated = firewall::ingress_of(config_with("isolated", three));
    CHECK(isolated.policy == nft::Ingress::isolated);
    CHECK(isolated.ports == std::vector<std::string>{"veth1"});
    // bandwidth puts its ifb behind the container's interface; whoever puts the host's end there as well is understood.
    CHECK(firewall::ingress_of(config_with("isolated", os::cat(three, R"(,{"name":"bwp1"})"))).ports ==
          std::vector<std::string>{"veth1"});
    CHECK(firewall::ingress_of(config_with("isolated", R"({"name":"br0"},{"name":"eth0","sandbox":"/x"},{"name":"v"})"))
              .ports == std::vector<std::string>{"v"});
    CHECK(same.vlan_gateway.empty());
    // The gateway of a VLAN is behind the container's interface, and no port.
    const auto vlan = firewall::ingress_of(config_with(
        "isolated", os::cat(three, R"(,{"name":"bwp1"},{"name":"br0.x"},{"name":"br0.100"},{"name":"y"})")));
    CHECK(vlan.vlan_gateway == "br0.100");
    CHECK(vlan.ports == std::vector<std::string>{"veth1"});
    CHECK(firewall::ingress_of(config_with("isolated", R"({"name":"br0"},{"name":"br0.1"},{"name":"v"})")).ports ==
          std::vector<std::string>{"v"});
    for (const std::string_view other : {"br1.100", "br0.", "br0x100", "br0.100/", "br0.10000000000000"}) {
        const std::string fourth = os::cat(three, ",{\"name\":\"", other, "\"}");
        CHECK(firewall::ingress_of(config_with("isolated", fourth)).vlan_gateway.empty());
    }
    CHECK(ingress_error("none", three) == "unknown ingress policy: \"none\"");
    CHECK(ingress_error("isolated", "") ==
          "interface needs to be set for ingress policy \"isolated\", make sure to chain "
          "\"firewall\" plugin with \"bridge\"");
    CHECK(ingress_error("same-bridge", R"({"name":""})") == "got empty bridge name");
    CHECK(
        ingress_error("same-bridge", R"({"name":"a-name-far-too-long"})").starts_with("prevResult's first interface"));
}

TEST_CASE("firewall config: each address counts once, whatever its interface") {
    const auto addresses = firewall::addresses_of(
        config_with("", R"({"name":"br0"})",
                    R"({"address":"10.0.0.2/24"},{"address":"fd00::2/64","interface":0},{"address":"10.0.0.2/16"})")
            .prev_result);
    REQUIRE(addresses.size() == 2);
    CHECK(addresses[0].text() == "10.0.0.2");
    CHECK(addresses[1].text() == "fd00::2");
    CHECK(firewall::addresses_of(std::nullopt).empty());
}
