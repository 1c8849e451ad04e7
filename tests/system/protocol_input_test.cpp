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

TEST_CASE("protocol: three MiB of standard input are taken") {
    World world;
    const json padding = {{"args", {{"labels", std::string(3 << 20, 'x')}}}};
    const Answer answer = invoke(call_of("host-local", "ADD", padding));
    CHECK_MESSAGE(answer.ok(), answer.out.substr(0, 400));
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

TEST_CASE("protocol: nesting of sixty levels is taken") {
    World world;
    json nested = json::array();
    for (int depth = 2; depth < 60; ++depth)
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
