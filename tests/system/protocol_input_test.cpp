// SPDX-License-Identifier: Apache-2.0
// What all plugins share: standard input and its JSON.
#include <doctest/doctest.h>

#include "protocol_call.h"

using namespace test;

TEST_CASE("protocol: empty standard input") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string command : {"ADD", "DEL", "CHECK"}) {
            CAPTURE(plugin + " " + command);
            refused(invoke(empty_stdin(call_of(plugin, command))), 6,
                    "error unmarshall network config: unexpected end of JSON input");
        }
    }
}

TEST_CASE("protocol: standard input that cannot be read") {
    World world;
    Call call = call_of("bridge");
    call.wrapper = {"sh", "-c", "exec \"$0\" </"};
    const Answer answer = invoke(call);
    CHECK(answer.status == 1);
    CHECK(answer.code() == 5);
    CHECK(answer.msg().starts_with("error reading from stdin: "));
    CHECK(contains(answer.msg(), "is a directory"));
}

TEST_CASE("protocol: what is not JSON has code 6") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string text : {"nonsense", "{", "{\"name\": \"net\",}", "{} {}", "{\"name\":\"net\"} x", "[]",
                                       "7", "\"text\"", "{'name':'net'}", "{\"name\":\"net\"", "\xff\xfe"}) {
            CAPTURE(plugin + " " + text);
            const Answer answer = invoke(with_stdin(text, plugin));
            CHECK(answer.status == 1);
            CHECK(answer.code() == 6);
            CHECK(answer.msg().starts_with("error unmarshall network config: "));
        }
    }
}

TEST_CASE("protocol: what is not JSON is told with line and column") {
    World world;
    const std::string msg = invoke(with_stdin("{\n  \"name\": \"net\",\n  \"ipMasq\": yes\n}")).msg();
    CHECK_MESSAGE(contains(msg, " at line 3 column 13"), msg);
}

TEST_CASE("protocol: null on standard input has no network name") {
    World world;
    refused(invoke(with_stdin("null")), 7, "missing network name");
}

TEST_CASE("protocol: a missing network name") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const json& name : {json(), json("")}) {
            CAPTURE(plugin + " " + name.dump());
            refused(invoke(call_of(plugin, "ADD", {{"name", name}})), 7, "missing network name");
        }
    }
}

TEST_CASE("protocol: a bad network name") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string name : {"-net", ".net", "a/b", "a b", "..", "net\n", "net\xc3\xa4"}) {
            CAPTURE(plugin + " " + name);
            refused(invoke(call_of(plugin, "ADD", {{"name", name}})), 7, "invalid characters found in network name",
                    name);
        }
    }
}

TEST_CASE("protocol: a network name that is no string has code 6") {
    World world;
    CHECK(invoke(call_of("bridge", "ADD", {{"name", 7}})).code() == 6);
}

TEST_CASE("protocol: five MiB of standard input are refused, whatever is in them") {
    World world;
    world.netns("c1");
    for (const std::string& plugin : plugins) {
        json config = config_of(plugin);
        config["padding"] = std::string(5 << 20, 'x');
        Call call = call_of(plugin);
        call.config = config;
        const Answer answer = invoke(call);
        CHECK(answer.status == 1);
        CHECK_MESSAGE(contains(answer.msg(), "input is larger than 4194304 bytes"), answer.msg());
    }
    CHECK(!works("ip link show br0"));
}

TEST_CASE("protocol: four MiB of standard input are taken, to the byte") {
    World world;
    Call call = call_of("host-local", "ADD", {{"args", {{"labels", ""}}}});
    const std::size_t bare = call.config.dump().size();
    call.config["args"]["labels"] = std::string((4 << 20) - bare, 'x');
    const Answer answer = invoke(call);
    CHECK_MESSAGE(answer.ok(), answer.out.substr(0, 400));
    call.config["args"]["labels"] = std::string((4 << 20) - bare + 1, 'x');
    CHECK(invoke(call).code() == 6);
}

TEST_CASE("protocol: deep nesting is refused before it costs anything") {
    World world;
    for (const std::size_t depth : {std::size_t{65}, std::size_t{1} << 20}) {
        const Answer answer =
            invoke(with_stdin("{\"name\":\"net\",\"args\":" + std::string(depth, '[') + std::string(depth, ']') + "}"));
        CHECK(answer.status == 1);
        CHECK(answer.code() == 6);
        CHECK_MESSAGE(contains(answer.msg(), "more than 64 levels of nesting"), answer.msg());
    }
}

TEST_CASE("protocol: nesting of 64 levels is taken") {
    World world;
    json nested = json::array(); // below the document and "args"
    for (int depth = 3; depth < 64; ++depth)
        nested = json::array({nested});
    const Answer answer = invoke(call_of("host-local", "ADD", {{"args", {{"labels", nested}}}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("protocol: keys match whatever their letter case") {
    World world;
    const Answer answer = invoke(with_stdin(
        R"({"CNIVERSION":"1.0.0","Name":"net","TYPE":"host-local","IPAM":{"Type":"host-local","SUBNET":"10.9.0.0/24"}})"));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["ips"][0]["address"] == "10.9.0.2/24");
}

TEST_CASE("protocol: nested keys match whatever their letter case") {
    World world;
    const std::string c1 = world.netns("c1");
    Call call = call_of("bridge");
    call.raw = R"({"CNIVERSION":"1.0.0","NAME":"net","TYPE":"bridge","BRIDGE":"br0","ISGATEWAY":true,"MTU":1400,
        "IPAM":{"TYPE":"host-local","RANGES":[[{"SUBNET":"10.9.0.0/24","RANGESTART":"10.9.0.50"}]],
        "ROUTES":[{"DST":"192.0.2.0/24"}]},"RUNTIMECONFIG":{"MAC":"c2:11:22:33:44:55"},"DNS":{"NAMESERVERS":["192.0.2.53"]}})";
    const Answer answer = invoke(call);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.err.empty());
    const json result = answer.document();
    CHECK(result["ips"][0]["address"] == "10.9.0.50/24");
    CHECK(result["ips"][0]["gateway"] == "10.9.0.1");
    CHECK(result["routes"][0]["dst"] == "192.0.2.0/24");
    CHECK(result["interfaces"][2]["mac"] == "c2:11:22:33:44:55");
    CHECK(result["dns"]["nameservers"] == json{"192.0.2.53"});
    CHECK(contains(sh("ip link show eth0", c1), "mtu 1400"));
}

TEST_CASE("protocol: the keys of a prevResult match whatever their letter case") {
    World world;
    world.netns("c1");
    Call call = call_of("loopback");
    call.raw = R"({"cniVersion":"1.0.0","name":"net","type":"loopback","PREVRESULT":{"CNIVERSION":"1.0.0",
        "INTERFACES":[{"NAME":"eth0","SANDBOX":"/run/netns/c1"}],"IPS":[{"ADDRESS":"10.9.0.2/24","INTERFACE":0}]}})";
    const json result = invoke(call).document();
    CHECK(result["interfaces"][0]["name"] == "eth0");
    CHECK(result["ips"][0]["address"] == "10.9.0.2/24");
}

// The first of two objects was lost.
TEST_CASE("protocol: an object that comes twice is filled by both") {
    World world;
    world.netns("c1");
    Call call = call_of("bridge");
    call.raw = R"({"cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"br0","ipam":{"type":"host-local"},
        "ipam":{"subnet":"10.9.0.0/24"}})";
    const Answer answer = invoke(call);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["ips"][0]["address"] == "10.9.0.2/24");
}

TEST_CASE("protocol: of a key that comes in two spellings the last counts") {
    World world;
    world.netns("c1");
    Call call = call_of("bridge");
    call.raw = R"({"cniVersion":"1.0.0","name":"net","type":"bridge","bridge":"br1","BRIDGE":"br0"})";
    CHECK(invoke(call).document()["interfaces"][0]["name"] == "br0");
}

// What was behind the NUL byte was ignored, and the mark was skipped.
TEST_CASE("protocol: bytes before and behind the document are refused") {
    World world;
    const std::string config = config_of("host-local").dump();
    for (const std::string& text : {config + std::string(1, '\0') + "x", config + "}", "\xef\xbb\xbf" + config}) {
        const Answer answer = invoke(with_stdin(text));
        CHECK(answer.status == 1);
        CHECK(answer.code() == 6);
    }
}

TEST_CASE("protocol: half of a surrogate pair is no reason to refuse a config") {
    World world;
    std::string config = config_of("host-local", {{"args", {{"labels", "X"}}}}).dump();
    config.replace(config.find('X'), 1, R"(\ud800)");
    CHECK(invoke(with_stdin(config)).ok());
}

TEST_CASE("protocol: of a key that comes twice the last counts") {
    World world;
    const Answer answer = invoke(with_stdin(
        R"({"cniVersion":"0.4.0","name":"one","name":"net","ipam":{"type":"host-local","subnet":"10.8.0.0/24",)"
        R"("subnet":"10.9.0.0/24"},"cniVersion":"1.0.0"})"));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["cniVersion"] == "1.0.0");
    CHECK(leases("net") == std::vector<std::string>{"10.9.0.2"});
}

TEST_CASE("protocol: null is the same as no key") {
    World world;
    world.netns("c1");
    const Answer answer = invoke(call_of("bridge", "ADD",
                                         {{"mtu", nullptr},
                                          {"ipMasq", nullptr},
                                          {"dns", nullptr},
                                          {"runtimeConfig", nullptr},
                                          {"prevResult", nullptr},
                                          {"args", nullptr}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("protocol: numbers are integers, and strings are neither numbers nor booleans") {
    World world;
    world.netns("c1");
    for (const std::string value : {R"("mtu":1400.0)", R"("mtu":1e3)", R"("mtu":"1400")", R"("ipMasq":"true")",
                                    R"("ipMasq":1)", R"("bridge":7)"}) {
        CAPTURE(value);
        const std::string start = R"({"cniVersion":"1.0.0","name":"net","type":"bridge",)";
        const Answer answer = invoke(with_stdin(start + value + "}", "bridge"));
        CHECK(answer.status == 1);
        CHECK(answer.code() == 999);
        CHECK(answer.msg().starts_with("failed to load netconf: "));
    }
    CHECK(!works("ip link show cni0"));
}

TEST_CASE("protocol: a value of a wrong type is named with its path, what it is and what it may be") {
    World world;
    world.netns("c1");
    CHECK(invoke(call_of("bridge", "ADD", {{"vlan", "5"}})).msg() ==
          "failed to load netconf: key \"vlan\" is a string (\"5\"): must be an integer");
    CHECK(invoke(call_of("bridge", "ADD", {{"runtimeConfig", {{"mac", 5}}}})).msg() ==
          "failed to load netconf: key \"runtimeConfig.mac\" is a number (5): must be a string");
    CHECK(invoke(call_of("bridge", "ADD", {{"args", {{"cni", {{"mac", true}}}}}})).msg() ==
          "failed to load netconf: key \"args.cni.mac\" is a boolean (true): must be a string");
    CHECK(
        invoke(call_of("bridge", "ADD", {{"mtu", "big"}})).msg() ==
        "failed to load netconf: key \"mtu\" is a string (\"big\"): must be an integer from -2147483648 to 2147483647");
    CHECK(invoke(call_of("loopback", "ADD", {{"dns", {{"search", "a"}}}})).msg() ==
          "failed to parse network config: key \"dns.search\" is a string (\"a\"): must be a list of strings");
    CHECK(invoke(call_of("host-local", "ADD", {{"ipam", {{"ranges", {{{{"subnet", 7}}}}}}}})).msg() ==
          "key \"ipam.ranges[0][0].subnet\" is a number (7): must be a string");
    CHECK(invoke(call_of("portmap", "ADD", {{"runtimeConfig", {{"portMappings", {{{"hostPort", "80"}}}}}}})).msg() ==
          "failed to parse config: failed to parse network configuration: key "
          "\"runtimeConfig.portMappings[0].hostPort\" is a string (\"80\"): must be an integer");
}

TEST_CASE("protocol: an unknown key is warned about on stderr, with the key that was meant") {
    World world;
    const Answer answer =
        invoke(call_of("host-local", "ADD", {{"ipam", ipam({"10.9.0.0/24"}, {{"rangestrat", "10.9.0.9"}})}}));
    REQUIRE(answer.ok());
    CHECK_MESSAGE(contains(answer.err, "\"ipam.rangestrat\" is ignored; did you mean \"ipam.rangeStart\"?"),
                  answer.err);
}

TEST_CASE("protocol: an unknown key is warned about at any depth, each by the plugin it is for") {
    World world;
    world.netns("c1");
    json config = config_of("bridge", {{"isGatway", true}, {"dns", {{"nameserver", {"192.0.2.53"}}}}});
    config["ipam"]["ranges"][0][0]["gatway"] = "10.9.0.1";
    const Answer answer = invoke({.plugin = "bridge", .config = config, .netns = "/run/netns/c1"});
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    for (const std::string line :
         {R"(bridge: warning: unknown key "isGatway" is ignored; did you mean "isGateway"?)",
          R"("dns.nameserver" is ignored; did you mean "dns.nameservers"?)",
          R"(host-local: warning: unknown key "ipam.ranges[0][0].gatway" is ignored; did you)"})
        CHECK_MESSAGE(contains(answer.err, line), answer.err);
}
