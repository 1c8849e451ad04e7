// SPDX-License-Identifier: Apache-2.0
// bandwidth: what is made of limits, and what is refused. How fast it is then: bandwidth_rate_test.cpp.
#include "bandwidth_call.h"

using namespace test;

namespace {

json discipline(const std::string& device, const std::string& kind) {
    for (const json& qdisc : json::parse(sh("tc -j -d qdisc show dev " + device))) {
        if (qdisc["kind"] == kind)
            return qdisc;
    }
    return {};
}

/// What the Go suite makes, whichever suite is tested.
Answer by_go(const std::string& command, const json& keys) {
    Call call = bandwidth(command, keys);
    const Output output = run({go_dir() + "/bandwidth"}, {.input = call.config.dump(),
                                                          .environment = {{{"CNI_COMMAND", command},
                                                                           {"CNI_CONTAINERID", "c1"},
                                                                           {"CNI_NETNS", call.netns},
                                                                           {"CNI_IFNAME", "eth0"},
                                                                           {"CNI_PATH", go_dir()}}}});
    return {.status = output.status, .out = output.out, .err = output.err};
}

} // namespace

TEST_CASE("bandwidth: both ways, the ifb comes last in the result and has the veth's mtu") {
    for (const std::string version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
        CAPTURE(version);
        World world;
        with_veth(world);
        const Answer answer = invoke(bandwidth("ADD", both_ways(), version));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        const json result = answer.document();
        REQUIRE(result["interfaces"].size() == 3);
        CHECK(result["interfaces"][0] == veth_result()["interfaces"][0]);
        CHECK(result["interfaces"][1] == veth_result()["interfaces"][1]);
        const json ifb = json::parse(sh(std::string("ip -j -d link show ") + ifb_name))[0];
        CHECK(result["interfaces"][2] == json{{"name", ifb_name}, {"mac", ifb["address"]}});
        CHECK(result["ips"] == veth_result(version)["ips"]);
        CHECK(ifb["mtu"] == 1400);
        CHECK(ifb["linkinfo"]["info_kind"] == "ifb");
        CHECK(!ifb.contains("txqlen"));
        CHECK(ifb["flags"].dump().find("\"UP\"") != std::string::npos);
    }
}

TEST_CASE("bandwidth: the smallest limits are exact") {
    World world;
    with_veth(world);
    const Answer answer = invoke(bandwidth("ADD", limits(8, 8, 16, 8)));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    const json in = discipline("hostv", "tbf")["options"], out = discipline(ifb_name, "tbf")["options"];
    CHECK(in["rate"] == 1);
    CHECK(out["rate"] == 2);
    CHECK(contains(disciplines(), "rate 8bit burst 1b/1 mpu 0b"));
    CHECK(contains(disciplines(), "rate 16bit burst 1b/1 mpu 0b"));
    CHECK(discipline("hostv", "tbf")["handle"] == "1:");
    CHECK(discipline("hostv", "ingress")["handle"] == "ffff:");
    CHECK(sh("tc qdisc show dev hostv | wc -l") == "2\n");
    CHECK(invoke(bandwidth("CHECK", limits(8, 8, 16, 8))).ok());
}

TEST_CASE("bandwidth: tc shows the same of both suites, to the byte") {
    const std::uint64_t unlimited = 4294967295; // the burst that go-cni sends
    for (const json& keys :
         {both_ways(), limits(1000000, unlimited, 50000000, unlimited), limits(999999, unlimited, 1234567, 7654321),
          limits(40000000000, 34359738352, 80000000000, 800000000), limits(123456789012345, 34359738352, 17, 8),
          limits(9223372036854775807, 1000000, 18446744073709551615U, 1000000), limits(1, 80, 0, 0)}) {
        CAPTURE(keys.dump());
        const auto shown = [&](bool go) {
            World world;
            with_veth(world);
            const Answer answer = go ? by_go("ADD", keys) : invoke(bandwidth("ADD", keys));
            if (!answer.ok())
                return answer.out;
            const std::string filters =
                sh("tc filter show dev hostv parent ffff: | sed '/action order 2/,$d; /index/d'");
            return disciplines() + filters +
                   sh("ip -d -o link show type ifb | sed 's/^[0-9]*//; s/ether [0-9a-f:]*//; "
                      "s/ *\\\\ *alias .*//; s/ *$//; s/state [A-Z]*//'");
        };
        const std::string go = shown(true);
        CHECK((contains(go, "tbf 1:") || contains(go, "create qdisc: invalid argument")));
        CHECK(shown(false) == go);
    }
}

TEST_CASE("bandwidth: everything from the container is led through the ifb") {
    World world;
    const std::string c1 = with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    const std::string filter = sh("tc filter show dev hostv parent ffff:");
    CHECK(contains(filter, "filter protocol all pref 1 u32"));
    CHECK(contains(filter, "match 00000000/00000000 at 0"));
    CHECK(contains(filter, std::string("mirred (Egress Redirect to device ") + ifb_name + ") stolen"));
    CHECK(works("ping -c 1 -W 2 10.9.0.1", c1));
    CHECK(works("ping -c 1 -W 2 10.9.0.2"));
    const json sent = json::parse(sh(std::string("tc -j -s qdisc show dev ") + ifb_name))[0];
    CHECK(sent["packets"] > 0);
}

TEST_CASE("bandwidth: one way only leaves the other alone") {
    World world;
    with_veth(world);
    Answer answer = invoke(bandwidth("ADD", limits(8000000, 800000, 0, 0)));
    CHECK(answer.document()["interfaces"].size() == 2);
    CHECK(ifbs() == "");
    CHECK(!contains(disciplines(), "ingress"));
    CHECK(invoke(bandwidth("CHECK", limits(8000000, 800000, 0, 0))).ok());
    sh("tc qdisc del dev hostv root");
    answer = invoke(bandwidth("ADD", limits(0, 0, 8000000, 800000)));
    CHECK(answer.document()["interfaces"].size() == 3);
    CHECK(discipline("hostv", "tbf").is_null());
    CHECK(invoke(bandwidth("CHECK", limits(0, 0, 8000000, 800000))).ok());
}

TEST_CASE("bandwidth: without limits prevResult is passed on and nothing is made") {
    World world;
    with_veth(world);
    for (const json& keys : {json::object(), limits(0, 0, 0, 0), json{{"runtimeConfig", {{"bandwidth", nullptr}}}},
                             json{{"runtimeConfig", {{"bandwidth", limits(0, 0, 0, 0)}}}}}) {
        const Answer answer = invoke(bandwidth("ADD", keys));
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document()["interfaces"] == veth_result()["interfaces"]);
        CHECK(nothing_left());
        CHECK(invoke(bandwidth("DEL", keys)).ok());
    }
}

TEST_CASE("bandwidth: the runtime's limits, in any letter case, and rates of the config before them") {
    World world;
    with_veth(world);
    const json theirs = {
        {"bandwidth",
         {{"IngressRate", 50000000}, {"IngressBurst", 4294967295}, {"EgressRate", 0}, {"EgressBurst", 0}}}};
    REQUIRE(invoke(bandwidth("ADD", {{"runtimeConfig", theirs}})).ok());
    CHECK(discipline("hostv", "tbf")["options"]["rate"] == 6250000);
    CHECK(ifbs() == "");
    sh("tc qdisc del dev hostv root");
    json keys = limits(8000000, 800000, 0, 0);
    keys["runtimeConfig"] = theirs;
    REQUIRE(invoke(bandwidth("ADD", keys)).ok());
    CHECK(discipline("hostv", "tbf")["options"]["rate"] == 1000000);
    sh("tc qdisc del dev hostv root");
    REQUIRE(invoke(bandwidth("ADD", {{"egressRate", 0}, {"runtimeConfig", theirs}})).ok());
    CHECK(nothing_left());
}

TEST_CASE("bandwidth: limits that are none are refused, in the Go suite's words") {
    World world;
    with_veth(world);
    const std::string no_burst = "if rate is set, burst must also be set",
                      no_rate = "if burst is set, rate must also be set", too_much = "burst cannot be more than 4GB";
    for (const std::string command : {"ADD", "CHECK"}) {
        refused(invoke(bandwidth(command, limits(0, 123, 123, 123))), 999, no_rate);
        refused(invoke(bandwidth(command, limits(123, 0, 123, 123))), 999, no_burst);
        refused(invoke(bandwidth(command, limits(123, 123, 0, 123))), 999, no_rate);
        refused(invoke(bandwidth(command, limits(123, 123, 123, 0))), 999, no_burst);
        refused(invoke(bandwidth(command, limits(123, 34359738360, 0, 0))), 999, too_much);
        refused(invoke(bandwidth(command, {{"runtimeConfig", {{"bandwidth", {{"IngressRate", 5}}}}}})), 999, no_burst);
    }
    CHECK(nothing_left());
    CHECK(invoke(bandwidth("ADD", limits(8000000000, 34359738352, 0, 0))).ok());
}

TEST_CASE("bandwidth: what comes before it in the chain has to be told, in the Go suite's words") {
    World world;
    const std::string c1 = with_veth(world);
    const auto with_interfaces = [](const json& interfaces) {
        json keys = both_ways();
        keys["prevResult"] = veth_result();
        keys["prevResult"]["interfaces"] = interfaces;
        return keys;
    };
    json none = both_ways();
    none["prevResult"] = nullptr;
    refused(invoke(bandwidth("ADD", none)), 999, "must be called as chained plugin");
    refused(invoke(bandwidth("CHECK", none)), 999, "must be called as a chained plugin");
    json empty = with_interfaces(json::array());
    empty["prevResult"]["ips"] = json::array();
    refused(invoke(bandwidth("ADD", empty)), 999, "no interfaces provided");
    json other = veth_result()["interfaces"];
    other[0]["name"] = "another";
    refused(invoke(bandwidth("ADD", with_interfaces(other))), 999,
            "no veth peer of container interface found in host ns");
    other[0] = {{"name", "hostv"}, {"sandbox", "/run/netns/c1"}};
    refused(invoke(bandwidth("ADD", with_interfaces(other))), 999,
            "no veth peer of container interface found in host ns");
    Call call = bandwidth("ADD");
    call.ifname = "eth9";
    refused(invoke(call), 999, "container interface eth9 has no veth peer: could not look up \"eth9\": Link not found");
    sh("ip link add br7 type bridge", c1);
    call.ifname = "br7";
    refused(invoke(call), 999, "container interface br7 has no veth peer: interface \"br7\" was not a veth interface");
    call = bandwidth("ADD");
    call.netns = "/run/netns/nobody";
    refused(invoke(call), 999,
            "failed to open netns %!q(<nil>): failed to Statfs \"/run/netns/nobody\": no such file or directory");
    sh("ip link add a1 type veth peer name a2; ip link set a1 name eth8", c1);
    call = bandwidth("ADD");
    call.ifname = "eth8";
    CHECK(invoke(call).code() == 999); // its peer is in the container
    CHECK(nothing_left());
}

TEST_CASE("bandwidth: CHECK is content, and finds each thing that has changed") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    const Answer answer = invoke(bandwidth("CHECK"));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.out.empty());
    refused(invoke(bandwidth("CHECK", limits(9000000, 800000, 16000000, 1600000))), 999, "Rate doesn't match");
    refused(invoke(bandwidth("CHECK", limits(8000000, 900000, 16000000, 1600000))), 999, "Limit doesn't match");
    refused(invoke(bandwidth("CHECK", limits(8000000, 800000, 16000000, 1700000))), 999, "Limit doesn't match");
    sh(std::string("ip link del ") + ifb_name);
    refused(invoke(bandwidth("CHECK")), 999, "get ifb device: Link not found");
}

TEST_CASE("bandwidth: CHECK finds disciplines that have gone or been replaced, and the way to the ifb cut") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    sh(std::string("ip link set down ") + ifb_name);
    CHECK(contains(invoke(bandwidth("CHECK")).msg(), std::string("ifb ") + ifb_name + " is down"));
    sh(std::string("ip link set up ") + ifb_name);
    sh("tc filter del dev hostv parent ffff:");
    CHECK(contains(invoke(bandwidth("CHECK")).msg(), "its ingress filter is missing"));
    sh("tc qdisc replace dev hostv root pfifo");
    refused(invoke(bandwidth("CHECK")), 999, "Failed to find qdisc");
    sh("tc qdisc del dev hostv root");
    refused(invoke(bandwidth("CHECK")), 999, "Failed to find qdisc");
}

TEST_CASE("bandwidth: DEL removes the ifb, as often as it comes, without namespace and prevResult too") {
    for (const bool with_netns : {true, false}) {
        World world;
        with_veth(world);
        REQUIRE(invoke(bandwidth("ADD")).ok());
        Call call = bandwidth("DEL");
        if (!with_netns) {
            world.remove_netns("c1");
            call.netns = "";
            call.config.erase("prevResult");
        }
        for (int i = 0; i < 2; ++i) {
            const Answer answer = invoke(call);
            CHECK_MESSAGE(answer.ok(), answer.out);
            CHECK(answer.out.empty());
            CHECK(ifbs() == "");
        }
    }
}

TEST_CASE("bandwidth: DEL with limits or a prevResult that cannot be read") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    CHECK(invoke(bandwidth("DEL", {{"ingressRate", "fast"}, {"egressBurst", 5}, {"prevResult", 7}})).ok());
    CHECK(ifbs() == "");
}

TEST_CASE("bandwidth: either suite removes what the other made") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    CHECK(by_go("CHECK", both_ways()).ok());
    CHECK(by_go("DEL", both_ways()).ok());
    CHECK(ifbs() == "");
    sh("tc qdisc del dev hostv root; tc qdisc del dev hostv ingress");
    REQUIRE(by_go("ADD", both_ways()).ok());
    CHECK(invoke(bandwidth("CHECK")).ok());
    CHECK(contains(invoke(bandwidth("ADD")).msg(), "file exists")); // no second one beside it
    CHECK(invoke(bandwidth("CHECK")).ok());
    CHECK(invoke(bandwidth("DEL")).ok());
    CHECK(ifbs() == "");
}

TEST_CASE("bandwidth: a second ADD without a DEL is refused, and the limits stay") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    CHECK(!invoke(bandwidth("ADD")).ok());
    const Answer answer = invoke(bandwidth("CHECK"));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

// The ifb of the running container went, and with it all that it sent.
TEST_CASE("bandwidth: a second ADD that loses an answer of the kernel takes no limits away") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    for (int lost = 1; sh("grep -c INJECTED /run/trace 2>/dev/null || true") != "0\n"; ++lost) {
        CAPTURE(lost);
        Call second = bandwidth("ADD");
        second.wrapper = {"strace", "-qq",
                          "-o",     "/run/trace",
                          "-e",     "trace=recvfrom",
                          "-e",     "inject=recvfrom:error=EAGAIN:when=" + std::to_string(lost)};
        CHECK(!invoke(second).ok());
        const Answer answer = invoke(bandwidth("CHECK"));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
    }
}

TEST_CASE("bandwidth: what an earlier veth of the container left is replaced") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    sh("ip link del hostv; ip netns del c1"); // bridge's DEL or GC, and then no more
    with_veth(world);
    const Answer answer = invoke(bandwidth("ADD"));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(invoke(bandwidth("CHECK")).ok());
    CHECK(invoke(bandwidth("DEL")).ok());
    CHECK(ifbs() == "");
}

TEST_CASE("bandwidth: two interfaces of one container on one network are limited each") {
    World world;
    const std::string c1 = with_veth(world);
    sh("ip link add hostw type veth peer name eth1 netns c1; ip link set hostw up; ip -n c1 link set eth1 up");
    const auto second = [](const std::string& command) {
        Call call = bandwidth(command);
        call.ifname = "eth1";
        call.config["prevResult"]["interfaces"][0]["name"] = "hostw";
        call.config["prevResult"]["interfaces"][1]["name"] = "eth1";
        return invoke(call);
    };
    REQUIRE(invoke(bandwidth("ADD")).ok());
    const Answer answer = second("ADD");
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["interfaces"][2]["name"] != ifb_name);
    CHECK(invoke(bandwidth("CHECK")).ok());
    CHECK(second("CHECK").ok());
    CHECK(second("DEL").ok());
    CHECK(second("DEL").ok());
    CHECK(invoke(bandwidth("CHECK")).ok());
    CHECK(invoke(bandwidth("DEL")).ok());
    CHECK(ifbs() == "");
}

TEST_CASE("bandwidth: an ADD that fails leaves nothing, and another's discipline alone") {
    World world;
    with_veth(world);
    sh("tc qdisc add dev hostv root handle 7: pfifo");
    refused(invoke(bandwidth("ADD")), 999, "create qdisc: file exists");
    CHECK(nothing_left());
    CHECK(contains(disciplines(), "pfifo 7:"));
    sh("tc qdisc del dev hostv root");
    sh("tc qdisc add dev hostv clsact");
    refused(invoke(bandwidth("ADD")), 999, "create ingress qdisc: file exists");
    CHECK(contains(disciplines(), "clsact"));
    CHECK(ifbs() == "");
    CHECK(!contains(disciplines(), "tbf"));
}

TEST_CASE("bandwidth: a link of the ifb's name that is none is left alone") {
    World world;
    with_veth(world);
    sh(std::string("ip link add ") + ifb_name + " type bridge");
    CHECK(invoke(bandwidth("DEL")).ok());
    CHECK(works(std::string("ip link show ") + ifb_name));
}

TEST_CASE("bandwidth: killed at any system call, a DEL leaves no ifb and another ADD works") {
    World world;
    with_veth(world);
    bool through = false;
    for (int n = 1; !through; n += 3) {
        CAPTURE(n);
        for (const bool del_first : {true, false}) {
            Call call = bandwidth("ADD");
            call.wrapper = {FAILAT, std::to_string(n), "KILL"};
            const Answer killed = invoke(call);
            through = through || killed.ok();
            if (del_first) {
                REQUIRE(invoke(bandwidth("DEL")).ok());
                REQUIRE(ifbs() == "");
            }
            if (del_first || killed.out.empty()) {
                const Answer again = invoke(bandwidth("ADD"));
                REQUIRE_MESSAGE(again.ok(), again.out);
            }
            REQUIRE(invoke(bandwidth("CHECK")).ok());
            REQUIRE(invoke(bandwidth("DEL")).ok());
            sh("tc qdisc del dev hostv root; tc qdisc del dev hostv ingress");
            REQUIRE(nothing_left());
        }
        REQUIRE(n < 2000); // a build with sanitizers makes some 600 calls
    }
}

TEST_CASE("bandwidth: GC removes the ifbs of what is not valid, and no others") {
    World world;
    with_veth(world);
    REQUIRE(invoke(bandwidth("ADD")).ok());
    sh("ip link add foreign type ifb; ip link add bwp000000000000 type ifb");
    const json valid = {{"cni.dev/valid-attachments", {{{"containerID", "c1"}, {"ifname", "eth0"}}}}};
    CHECK(invoke(bandwidth_of_network("GC", valid)).ok());
    CHECK(contains(ifbs(), ifb_name));
    CHECK(invoke(bandwidth_of_network("GC", {{"name", "another"}, {"cni.dev/valid-attachments", json::array()}})).ok());
    CHECK(contains(ifbs(), ifb_name));
    CHECK(invoke(bandwidth_of_network("GC", {{"cni.dev/valid-attachments", json::array()}})).ok());
    CHECK(!contains(ifbs(), ifb_name));
    CHECK(contains(ifbs(), "foreign"));
    CHECK(contains(ifbs(), "bwp000000000000"));
}

TEST_CASE("bandwidth: STATUS is content with this kernel, and makes nothing") {
    World world;
    const std::string before = sh("ip -o link; tc qdisc show");
    const Answer answer = invoke(bandwidth_of_network("STATUS", {{"shapedSubnets", {"10.0.0.0/8"}}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(sh("ip -o link; tc qdisc show") == before);
    CHECK(invoke(bandwidth_of_network("STATUS", {{"ingressRate", 5}})).msg() ==
          "if rate is set, burst must also be set");
}

TEST_CASE("bandwidth: subnets that are none, or of both lists, are refused") {
    World world;
    with_veth(world);
    json keys = both_ways();
    keys["unshapedSubnets"] = {"10.0.0.0/8", "hello"};
    refused(invoke(bandwidth("ADD", keys)), 999, "bad subnet \"hello\" provided, details invalid CIDR address: hello");
    keys["unshapedSubnets"] = {"10.0.0.0/8"};
    keys["shapedSubnets"] = {"10.1.0.0/16"};
    refused(invoke(bandwidth("ADD", keys)), 999,
            "unshapedSubnets and shapedSubnets cannot be both specified, one of them should be discarded");
    CHECK(nothing_left());
}
