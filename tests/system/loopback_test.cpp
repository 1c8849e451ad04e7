// SPDX-License-Identifier: Apache-2.0
// loopback: the container's lo, whatever the interface is called.
#include <doctest/doctest.h>

#include "protocol_call.h"

using namespace test;

namespace {

/// A namespace whose lo is still down.
std::string fresh_netns(World& world) {
    const std::string netns = world.netns("c1");
    sh("ip link set lo down", netns);
    return netns;
}

Call loopback(const std::string& command, const json& more = json::object()) {
    json config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "loopback"}};
    config.update(more);
    return {.plugin = "loopback", .command = command, .config = config, .netns = "/run/netns/c1", .ifname = "lo"};
}

bool is_up(const std::string& netns = "/run/netns/c1") {
    return contains(sh("ip -o link show lo", netns), ",UP");
}

} // namespace

TEST_CASE("loopback: ADD sets lo up and both loopback addresses answer") {
    World world;
    const std::string netns = fresh_netns(world);
    REQUIRE(!is_up());
    REQUIRE(invoke(loopback("ADD")).ok());
    CHECK(is_up());
    CHECK(works("ping -c1 -W1 127.0.0.1", netns));
    CHECK(works("ping -c1 -W1 ::1", netns));
}

TEST_CASE("loopback: ADD works in every version") {
    World world;
    fresh_netns(world);
    for (const std::string version : {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
        CAPTURE(version);
        const Answer answer = invoke(loopback("ADD", {{"cniVersion", version}}));
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document()["cniVersion"] == version);
        CHECK(is_up());
        CHECK(invoke(loopback("DEL", {{"cniVersion", version}})).ok());
        CHECK(!is_up());
    }
}

TEST_CASE("loopback: the result names lo and the addresses that the kernel gave it") {
    World world;
    fresh_netns(world);
    CHECK(invoke(loopback("ADD")).out == R"({
    "cniVersion": "1.0.0",
    "interfaces": [
        {
            "mac": "00:00:00:00:00:00",
            "name": "lo",
            "sandbox": "/run/netns/c1"
        }
    ],
    "ips": [
        {
            "address": "127.0.0.1/8",
            "interface": 0
        },
        {
            "address": "::1/128",
            "interface": 0
        }
    ]
})");
}

TEST_CASE("loopback: the result has the shape of its version") {
    World world;
    fresh_netns(world);
    const json v04 = invoke(loopback("ADD", {{"cniVersion", "0.4.0"}})).document();
    CHECK(v04["ips"][0] == json{{"version", "4"}, {"interface", 0}, {"address", "127.0.0.1/8"}});
    CHECK(v04["ips"][1] == json{{"version", "6"}, {"interface", 0}, {"address", "::1/128"}});
    CHECK(v04.value("dns", json()) == json::object());
    CHECK(invoke(loopback("ADD", {{"cniVersion", "0.2.0"}})).document() == json{{"cniVersion", "0.2.0"},
                                                                                {"ip4", {{"ip", "127.0.0.1/8"}}},
                                                                                {"ip6", {{"ip", "::1/128"}}},
                                                                                {"dns", json::object()}});
}

TEST_CASE("loopback: without a version the result is of 0.1.0") {
    World world;
    fresh_netns(world);
    const json result = invoke(loopback("ADD", {{"cniVersion", nullptr}})).document();
    CHECK(result["cniVersion"] == "0.1.0");
    CHECK(result["ip4"]["ip"] == "127.0.0.1/8");
}

TEST_CASE("loopback: where IPv6 is off there is one address, and it stays off") {
    World world;
    const std::string netns = fresh_netns(world);
    sh("echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6", netns);
    const json result = invoke(loopback("ADD")).document();
    CHECK(result["ips"] == json::array({{{"address", "127.0.0.1/8"}, {"interface", 0}}}));
    CHECK(sysctl("ipv6/conf/lo/disable_ipv6", netns) == "1");
}

TEST_CASE("loopback: whatever CNI_IFNAME says, the device is lo") {
    World world;
    fresh_netns(world);
    Call call = loopback("ADD");
    call.ifname = "eth7";
    CHECK(invoke(call).document()["interfaces"][0]["name"] == "lo");
    CHECK(is_up());
    call.command = "CHECK";
    CHECK(invoke(call).ok());
    call.command = "DEL";
    CHECK(invoke(call).ok());
    CHECK(!is_up());
}

TEST_CASE("loopback: ADD of an interface that is up already") {
    World world;
    fresh_netns(world);
    const Answer first = invoke(loopback("ADD")), second = invoke(loopback("ADD"));
    CHECK(second.ok());
    CHECK(second.out == first.out);
}

TEST_CASE("loopback: an address on lo that is no loopback address is refused") {
    World world;
    const std::string netns = fresh_netns(world);
    sh("ip addr add 10.0.0.1/8 dev lo", netns);
    refused(invoke(loopback("ADD")), 999, "loopback interface found with non-loopback address \"10.0.0.1\"");
}

TEST_CASE("loopback: an IPv6 address on lo that is no loopback address is refused") {
    World world;
    const std::string netns = world.netns("c1");
    sh("ip addr add fd00::1/64 dev lo", netns);
    refused(invoke(loopback("ADD")), 999, "loopback interface found with non-loopback address \"fd00::1\"");
    CHECK(is_up());
}

TEST_CASE("loopback: an ADD that fails leaves lo down as it was") {
    World world;
    const std::string netns = fresh_netns(world);
    sh("ip addr add 10.0.0.1/8 dev lo", netns);
    CHECK(!invoke(loopback("ADD")).ok());
    CHECK(!is_up());
}

TEST_CASE("loopback: prevResult is passed on") {
    World world;
    fresh_netns(world);
    for (const std::string version : {"0.2.0", "0.3.1", "0.4.0", "1.0.0"}) {
        CAPTURE(version);
        const Answer answer = invoke(loopback("ADD", {{"cniVersion", version}, {"prevResult", prev_result(version)}}));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document() == prev_result(version));
    }
    CHECK(is_up());
}

TEST_CASE("loopback: a prevResult that is none is refused before anything is done") {
    World world;
    fresh_netns(world);
    json prev = prev_result("1.0.0");
    prev["ips"][0]["address"] = "nonsense";
    const Answer answer = invoke(loopback("ADD", {{"prevResult", prev}}));
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(answer.msg().starts_with("failed to parse prevResult: could not parse prevResult: "), answer.msg());
    CHECK(!is_up());
}

TEST_CASE("loopback: a common key of a wrong type is refused by ADD") {
    World world;
    fresh_netns(world);
    const Answer answer = invoke(loopback("ADD", {{"dns", "192.0.2.53"}}));
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(answer.msg().starts_with("failed to parse network config: "), answer.msg());
    CHECK(!is_up());
}

TEST_CASE("loopback: CHECK and DEL do not look at the plugin's keys") {
    World world;
    fresh_netns(world);
    REQUIRE(invoke(loopback("ADD")).ok());
    CHECK(invoke(loopback("CHECK", {{"dns", 7}, {"prevResult", {{"ips", "?"}}}})).ok());
    CHECK(invoke(loopback("DEL", {{"dns", 7}, {"prevResult", {{"ips", "?"}}}})).ok());
    CHECK(!is_up());
}

TEST_CASE("loopback: CHECK is silent while lo is up") {
    World world;
    fresh_netns(world);
    REQUIRE(invoke(loopback("ADD")).ok());
    const Answer answer = invoke(loopback("CHECK"));
    CHECK(answer.ok());
    CHECK(answer.out.empty());
}

TEST_CASE("loopback: CHECK finds lo down") {
    World world;
    fresh_netns(world);
    refused(invoke(loopback("CHECK")), 999, "loopback interface is down");
}

TEST_CASE("loopback: DEL sets lo down, and a second one is fine") {
    World world;
    fresh_netns(world);
    REQUIRE(invoke(loopback("ADD")).ok());
    for (int i = 0; i < 2; ++i) {
        const Answer answer = invoke(loopback("DEL"));
        CHECK(answer.ok());
        CHECK(answer.out.empty());
        CHECK(!is_up());
    }
}

TEST_CASE("loopback: DEL without a namespace, or of one that has gone") {
    World world;
    for (const std::string netns : {"", "/run/netns/nobody"}) {
        CAPTURE(netns);
        Call call = loopback("DEL");
        call.netns = netns;
        const Answer answer = invoke(call);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.out.empty());
    }
}

TEST_CASE("loopback: DEL of a path that is no namespace any more") {
    World world;
    Call call = loopback("DEL");
    call.netns = "/etc/hostname";
    const Answer answer = invoke(call);
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("loopback: ADD of a namespace that is missing") {
    World world;
    Call call = loopback("ADD");
    call.netns = "/run/netns/nobody";
    refused(invoke(call), 999, "failed to Statfs \"/run/netns/nobody\": no such file or directory");
    call.command = "CHECK";
    refused(invoke(call), 999, "failed to Statfs \"/run/netns/nobody\": no such file or directory");
}

TEST_CASE("loopback: the host's own lo is left alone") {
    World world;
    for (const std::string command : {"ADD", "DEL"}) {
        Call call = loopback(command);
        call.netns = "/proc/self/ns/net";
        CHECK(invoke(call).code() == 8);
        CHECK(is_up(""));
    }
}

TEST_CASE("loopback: STATUS and GC have nothing to say") {
    World world;
    fresh_netns(world);
    for (const std::string command : {"STATUS", "GC"}) {
        Call call = loopback(command, {{"cniVersion", "1.1.0"}, {"cni.dev/valid-attachments", json::array()}});
        call.id = call.netns = call.ifname = "";
        const Answer answer = invoke(call);
        CHECK(answer.ok());
        CHECK(answer.out.empty());
    }
    CHECK(!is_up());
}
