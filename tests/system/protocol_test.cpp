// SPDX-License-Identifier: Apache-2.0
// What all plugins share: variables, standard input, versions, verbs, and one document on stdout.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "bridge_call.h"

using namespace test;

namespace {

const std::vector<std::string> plugins = {"bridge", "host-local", "loopback", "portmap"};
const std::vector<std::string> all_versions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

json prev_result(const std::string& version) {
    const json ip = {{"interface", 0}, {"address", "10.9.0.2/24"}, {"gateway", "10.9.0.1"}};
    json in_lists = {{"cniVersion", version},
                     {"interfaces", {{{"name", "eth0"}, {"mac", "02:00:00:00:00:02"}, {"sandbox", "/run/netns/c1"}}}},
                     {"ips", {ip}},
                     {"routes", {{{"dst", "0.0.0.0/0"}, {"gw", "10.9.0.1"}}}},
                     {"dns", {{"nameservers", {"192.0.2.53"}}}}};
    if (version >= "1.0.0")
        return in_lists;
    if (version >= "0.3.0") {
        in_lists["ips"][0]["version"] = "4";
        return in_lists;
    }
    return {{"cniVersion", version},
            {"ip4", {{"ip", "10.9.0.2/24"}, {"gateway", "10.9.0.1"}, {"routes", in_lists["routes"]}}},
            {"dns", in_lists["dns"]}};
}

/// A config that every plugin takes.
json config_of(const std::string& plugin, const json& more = json::object()) {
    json config = bridge_config({{"type", plugin}});
    if (plugin == "portmap")
        config["prevResult"] = prev_result("1.0.0");
    config.update(more);
    return config;
}

Call call_of(const std::string& plugin, const std::string& command = "ADD", const json& more = json::object()) {
    return {.plugin = plugin, .command = command, .config = config_of(plugin, more), .netns = "/run/netns/c1"};
}

Call with_stdin(const std::string& text, const std::string& plugin = "host-local") {
    Call call = call_of(plugin);
    call.raw = text;
    return call;
}

void refused(const Answer& answer, int code, const std::string& msg, const std::string& details = {}) {
    const json document = answer.document();
    CHECK(answer.status == 1);
    CHECK(answer.code() == code);
    CHECK(answer.msg() == msg);
    CHECK(document.value("details", "") == details);
    CHECK(document.contains("details") == !details.empty());
    CHECK(!document.contains("cniVersion"));
}

Call empty_stdin(Call call) {
    call.wrapper = {"sh", "-c", "exec \"$0\" </dev/null"};
    return call;
}

} // namespace

// ---- environment

TEST_CASE("protocol: each variable that is missing is named") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string command : {"ADD", "CHECK", "DEL"}) {
            for (const std::string variable : {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"}) {
                if (command == "DEL" && variable == "CNI_NETNS")
                    continue;
                CAPTURE(plugin + " " + command + " " + variable);
                Call call = call_of(plugin, command);
                call.unset = {variable};
                refused(invoke(call), 4, "required env variables [" + variable + "] missing");
            }
        }
    }
}

TEST_CASE("protocol: GC and STATUS need CNI_PATH and no other variable") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string command : {"GC", "STATUS"}) {
            CAPTURE(plugin + " " + command);
            Call call = call_of(plugin, command, {{"cniVersion", "1.1.0"}});
            call.unset = {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"};
            const Answer answer = invoke(call);
            CHECK_MESSAGE(answer.ok(), answer.out);
            CHECK(answer.out.empty());
            call.unset.push_back("CNI_PATH");
            refused(invoke(call), 4, "required env variables [CNI_PATH] missing");
        }
    }
}

TEST_CASE("protocol: several missing variables are named together, in one order") {
    World world;
    Call call = call_of("bridge");
    call.unset = {"CNI_PATH", "CNI_IFNAME", "CNI_NETNS", "CNI_CONTAINERID"};
    refused(invoke(call), 4, "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing");
    call.command = "DEL";
    refused(invoke(call), 4, "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing");
}

TEST_CASE("protocol: an empty variable is a missing one") {
    World world;
    Call call = call_of("bridge");
    call.id = call.ifname = call.path = "";
    refused(invoke(call), 4, "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing");
}

TEST_CASE("protocol: a missing variable is told before standard input is looked at") {
    World world;
    Call call = with_stdin("nonsense");
    call.unset = {"CNI_IFNAME"};
    refused(invoke(call), 4, "required env variables [CNI_IFNAME] missing");
}

TEST_CASE("protocol: a bad container ID is refused") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string id : {"-a", "_a", ".a", "a/b", "a b", "a\n", "a:b", "\xc3\xa4", "a%"}) {
            CAPTURE(plugin + " " + id);
            Call call = call_of(plugin);
            call.id = id;
            refused(invoke(call), 4, "invalid characters in containerID", id);
        }
    }
}

TEST_CASE("protocol: an invalid value is told before a missing one") {
    World world;
    Call call = call_of("bridge");
    call.id = "-";
    call.unset = {"CNI_NETNS", "CNI_IFNAME", "CNI_PATH"};
    refused(invoke(call), 4, "invalid characters in containerID", "-");
}

TEST_CASE("protocol: a container ID of 300 characters goes through the whole chain") {
    World world;
    const std::string id(300, 'a');
    // Its namespace has a shorter name: no file name is that long.
    const std::string netns = world.netns("c1");
    json config = config_of("bridge", {{"ipMasq", true}});
    Call call = {.plugin = "bridge", .config = config, .id = id, .netns = netns};
    const Answer added = invoke(call);
    REQUIRE_MESSAGE(added.ok(), added.out);
    call.config["prevResult"] = added.document();
    call.command = "CHECK";
    CHECK(invoke(call).ok());
    call.command = "DEL";
    CHECK(invoke(call).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("protocol: a bad interface name is refused, and why") {
    World world;
    const std::vector<std::pair<std::string, std::string>> names = {
        {".", "interface name is . or .."},
        {"..", "interface name is . or .."},
        {"a/b", "interface name contains / or : or whitespace characters"},
        {"a:b", "interface name contains / or : or whitespace characters"},
        {"a b", "interface name contains / or : or whitespace characters"},
        {"a\t", "interface name contains / or : or whitespace characters"},
        {"a\n", "interface name contains / or : or whitespace characters"},
        {"a\xc2\x85", "interface name contains / or : or whitespace characters"},
        {"a\xc2\xa0", "interface name contains / or : or whitespace characters"},
        {"a\xe2\x80\xa8", "interface name contains / or : or whitespace characters"},
    };
    for (const std::string& plugin : plugins) {
        for (const auto& [name, text] : names) {
            CAPTURE(plugin + " " + name);
            Call call = call_of(plugin);
            call.ifname = name;
            refused(invoke(call), 4, text);
        }
        Call call = call_of(plugin);
        call.ifname = "sixteen-letters-";
        refused(invoke(call), 4, "interface name is too long", "interface name should be less than 16 characters");
    }
}

TEST_CASE("protocol: an interface name that the kernel would fill in or nobody could read is refused") {
    World world;
    for (const std::string name : {"eth%d", "%", "a\x01", "a\x7f", "a\x1b[0m"}) {
        CAPTURE(name);
        Call call = call_of("bridge");
        call.ifname = name;
        refused(invoke(call), 4, "interface name contains % or a control byte");
    }
    CHECK(!works("ip link show br0"));
}

TEST_CASE("protocol: an interface name of 15 bytes is taken") {
    World world;
    const std::string netns = world.netns("c1");
    Call call = call_of("bridge");
    call.ifname = "fifteen-letters";
    const Answer answer = invoke(call);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(works("ip link show fifteen-letters", netns));
}

// ---- no command, VERSION, other verbs

TEST_CASE("protocol: without a command the plugin introduces itself on stderr") {
    World world;
    for (const std::string& plugin : plugins) {
        CAPTURE(plugin);
        Call call = call_of(plugin);
        call.command = "";
        call.unset = {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"};
        const Answer answer = invoke(call);
        CHECK(answer.status == 0);
        CHECK(answer.out.empty());
        CHECK(answer.err.starts_with("CNI " + plugin + " plugin v"));
        CHECK(contains(answer.err, "\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0"));
        CHECK(std::ranges::count(answer.err, '\n') == 2);
    }
}

TEST_CASE("protocol: VERSION answers with one compact line") {
    World world;
    for (const std::string& plugin : plugins) {
        CAPTURE(plugin);
        const Answer answer = invoke(call_of(plugin, "VERSION"));
        CHECK(answer.status == 0);
        CHECK(answer.out == "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\","
                            "\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n");
    }
}

TEST_CASE("protocol: VERSION needs no other variable and no standard input") {
    World world;
    for (const std::string& plugin : plugins) {
        CAPTURE(plugin);
        Call call = call_of(plugin, "VERSION");
        call.unset = {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH", "CNI_ARGS"};
        CHECK(invoke(empty_stdin(call)).document()["supportedVersions"].size() >= 6);
        call.raw = "{ nonsense";
        CHECK(invoke(call).ok());
        call.wrapper = {"sh", "-c", "exec \"$0\" <&-"};
        CHECK(invoke(call).ok());
    }
}

TEST_CASE("protocol: VERSION as podman asks for it") {
    World world;
    for (const std::string& plugin : plugins) {
        const Answer answer = invoke({.plugin = plugin,
                                      .command = "VERSION",
                                      .config = {{"cniVersion", "1.0.0"}},
                                      .id = "",
                                      .netns = "dummy",
                                      .ifname = "dummy",
                                      .path = "dummy"});
        CHECK_MESSAGE(answer.ok(), answer.out);
    }
}

TEST_CASE("protocol: an unknown verb is refused") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string verb : {"add", "Add", "REMOVE", "ADD "}) {
            CAPTURE(plugin + " " + verb);
            refused(invoke(call_of(plugin, verb)), 4, "unknown CNI_COMMAND: " + verb);
        }
    }
}

TEST_CASE("protocol: with an unknown verb broken input is told first, and no variable is missed") {
    World world;
    Call call = call_of("bridge", "REMOVE");
    call.unset = {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"};
    refused(invoke(empty_stdin(call)), 6, "error unmarshall network config: unexpected end of JSON input");
    refused(invoke(call), 4, "unknown CNI_COMMAND: REMOVE");
}

// ---- standard input

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
    CHECK(invoke(call_of("bridge", "ADD", {{"mtu", "big"}})).msg() ==
          "failed to load netconf: key \"mtu\" is a string (\"big\"): must be an integer");
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

// ---- versions

TEST_CASE("protocol: a version that nobody knows is refused") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string version : {"1.2.0", "0.5.0", "2.0.0", "1.0", "v1.0.0", "abc", "1.0.0.0"}) {
            CAPTURE(plugin + " " + version);
            for (const std::string command : {"ADD", "DEL"}) {
                const Answer answer = invoke(call_of(plugin, command, {{"cniVersion", version}}));
                CHECK(answer.status == 1);
                CHECK(answer.code() == 1);
                CHECK(answer.msg() == "incompatible CNI versions");
                CHECK(answer.document()["details"].get<std::string>().starts_with(
                    "config is \"" + version +
                    "\", plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" "
                    "\"0.4.0\" \"1.0.0\""));
            }
        }
    }
}

TEST_CASE("protocol: a version that is no string has code 6") {
    World world;
    const Answer answer = invoke(call_of("bridge", "ADD", {{"cniVersion", 1}}));
    CHECK(answer.code() == 6);
    CHECK(answer.msg().starts_with("decoding version from network config: "));
}

TEST_CASE("protocol: CHECK is refused for a config older than 0.4.0") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const json& version : {json("0.3.1"), json("0.1.0"), json("")}) {
            CAPTURE(plugin + " " + version.dump());
            refused(invoke(call_of(plugin, "CHECK", {{"cniVersion", version}})), 1,
                    "config version does not allow CHECK");
        }
    }
}

TEST_CASE("protocol: GC and STATUS are refused for a config older than 1.1.0") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string command : {"GC", "STATUS"}) {
            CAPTURE(plugin + " " + command);
            refused(invoke(call_of(plugin, command)), 1, "config version does not allow " + command);
        }
    }
}

TEST_CASE("protocol: CHECK is refused for a config newer than the plugin") {
    World world;
    refused(invoke(call_of("bridge", "CHECK", {{"cniVersion", "1.2.0"}})), 1, "plugin version does not allow CHECK");
}

TEST_CASE("protocol: GC and STATUS are refused for a config newer than the plugin") {
    World world;
    for (const std::string command : {"GC", "STATUS"})
        refused(invoke(call_of("bridge", command, {{"cniVersion", "1.2.0"}})), 1,
                "plugin version does not allow " + command);
}

TEST_CASE("protocol: a version that is none has code 6 at CHECK") {
    World world;
    refused(invoke(call_of("bridge", "CHECK", {{"cniVersion", "abc"}})), 6,
            "failed to convert major version part \"abc\": strconv.Atoi: parsing \"abc\": invalid syntax");
    refused(invoke(call_of("bridge", "CHECK", {{"cniVersion", "1.2.3.4"}})), 6,
            "invalid version \"1.2.3.4\": too many parts");
}

TEST_CASE("protocol: a config without a version is of 0.1.0") {
    World world;
    for (const json& version : {json(), json("")}) {
        const Answer answer = invoke(call_of("host-local", "ADD", {{"cniVersion", version}}));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document()["cniVersion"] == "0.1.0");
        CHECK(answer.document()["ip4"]["ip"] == "10.9.0.2/24");
        CHECK(invoke(call_of("host-local", "DEL")).ok());
        sh("rm /var/lib/cni/networks/net/last_reserved_ip.0");
    }
}

TEST_CASE("protocol: a result is indented by four spaces and ends without a line end") {
    World world;
    for (const std::string version : {"0.3.0", "0.3.1", "0.4.0"}) {
        const json more = {{"cniVersion", version}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", {{{"dst", "::/0"}}}}})}};
        const Answer answer = invoke(call_of("host-local", "ADD", more));
        CHECK(answer.out == "{\n    \"cniVersion\": \"" + version + R"(",
    "ips": [
        {
            "version": "4",
            "address": "10.9.0.2/24",
            "gateway": "10.9.0.1"
        }
    ],
    "routes": [
        {
            "dst": "::/0"
        }
    ],
    "dns": {}
})");
        sh("rm -r /var/lib/cni/networks/net");
    }
}

TEST_CASE("protocol: a result of 0.1.0 and 0.2.0 has one address a family") {
    World world;
    for (const std::string version : {"0.1.0", "0.2.0"}) {
        const json routes = {{{"dst", "0.0.0.0/0"}}, {{"dst", "::/0"}, {"gw", "fd09::7"}}};
        const json more = {{"cniVersion", version}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"}, {{"routes", routes}})}};
        const Answer answer = invoke(call_of("host-local", "ADD", more));
        CHECK(answer.out == "{\n    \"cniVersion\": \"" + version + R"(",
    "ip4": {
        "ip": "10.9.0.2/24",
        "gateway": "10.9.0.1",
        "routes": [
            {
                "dst": "0.0.0.0/0"
            }
        ]
    },
    "ip6": {
        "ip": "fd09::2/64",
        "gateway": "fd09::1",
        "routes": [
            {
                "dst": "::/0",
                "gw": "fd09::7"
            }
        ]
    },
    "dns": {}
})");
        sh("rm -r /var/lib/cni/networks/net");
    }
}

TEST_CASE("protocol: a result of 1.0.0 has its keys in order, no version of an address and no empty dns") {
    World world;
    const Answer answer = invoke(call_of("host-local", "ADD", {{"ipam", ipam({"10.9.0.0/24"})}}));
    CHECK(answer.out == R"({
    "cniVersion": "1.0.0",
    "ips": [
        {
            "address": "10.9.0.2/24",
            "gateway": "10.9.0.1"
        }
    ]
})");
}

TEST_CASE("protocol: a result of 1.1.0 has all keys of a route") {
    World world;
    const json route = {{"dst", "10.5.0.0/16"}, {"gw", "10.9.0.7"}, {"mtu", 1400}, {"advmss", 1300},
                        {"priority", 5},        {"table", 0},       {"scope", 0}};
    const Answer answer = invoke(call_of(
        "host-local", "ADD", {{"cniVersion", "1.1.0"}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", {route}}})}}));
    CHECK(answer.document()["cniVersion"] == "1.1.0");
    CHECK(answer.document()["routes"] == json::array({route}));
}

TEST_CASE("protocol: an error is indented by four spaces, with code, msg and details") {
    World world;
    Call call = call_of("bridge");
    call.id = "-";
    CHECK(invoke(call).out == "{\n    \"code\": 4,\n    \"msg\": \"invalid characters in containerID\",\n    "
                              "\"details\": \"-\"\n}");
}

TEST_CASE("protocol: a prevResult of each version comes out in that version") {
    World world;
    const std::string netns = world.netns("c1");
    for (const std::string& version : all_versions) {
        CAPTURE(version);
        const json more = {{"cniVersion", version}, {"prevResult", prev_result(version)}};
        const Answer answer = invoke(call_of("portmap", "ADD", more));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document() == prev_result(version));
    }
}

TEST_CASE("protocol: a prevResult without a version is of the config's") {
    World world;
    json prev = prev_result("0.4.0");
    prev.erase("cniVersion");
    const Answer answer = invoke(call_of("portmap", "ADD", {{"cniVersion", "0.4.0"}, {"prevResult", prev}}));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document() == prev_result("0.4.0"));
}

TEST_CASE("protocol: a prevResult of a version of the same shape is taken") {
    World world;
    const json more = {{"cniVersion", "0.4.0"}, {"prevResult", prev_result("0.3.0")}};
    const Answer answer = invoke(call_of("portmap", "ADD", more));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document() == prev_result("0.4.0"));
}

TEST_CASE("protocol: a prevResult of another shape than the config's is refused") {
    World world;
    const Answer answer = invoke(call_of("portmap", "ADD", {{"prevResult", prev_result("0.4.0")}}));
    CHECK(answer.status == 1);
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(contains(answer.msg(), "but unmarshalled CNIVersion is \"0.4.0\""), answer.msg());
}

TEST_CASE("protocol: under 0.2.0 an endpoint without addresses cannot be told, and is not left") {
    World world;
    const std::string netns = world.netns("c1");
    json config = layer2_config({{"cniVersion", "0.2.0"}});
    const Answer answer = bridge("ADD", config);
    refused(answer, 999, "cannot convert: no valid IP addresses");
    CHECK(ports().empty());
    CHECK(!works("ip link show eth0", netns));
}

// ---- the namespace

TEST_CASE("protocol: the host's own namespace is refused before anything is done") {
    World world;
    sh("ip link add eth0 type veth");
    for (const std::string& plugin : plugins) {
        for (const std::string command : {"ADD", "DEL"}) {
            CAPTURE(plugin + " " + command);
            Call call = call_of(plugin, command);
            call.netns = "/proc/self/ns/net";
            refused(invoke(call), 8, "plugin's netns and netns from CNI_NETNS should not be the same");
        }
    }
    CHECK(works("ip link show eth0"));
    CHECK(!works("ip link show br0"));
    CHECK(leases("net").empty());
    CHECK(contains(sh("ip -o link show lo"), ",UP"));
}

TEST_CASE("protocol: CNI_NETNS_OVERRIDE lets a plugin work in its own namespace") {
    World world;
    for (const std::string word : {"1", "true", "TRUE", "True"}) {
        CAPTURE(word);
        sh("ip link set lo down");
        Call call = call_of("loopback");
        call.netns = "/proc/self/ns/net";
        call.extra = {{"CNI_NETNS_OVERRIDE", word}};
        const Answer answer = invoke(call);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(contains(sh("ip -o link show lo"), ",UP"));
    }
}

TEST_CASE("protocol: another word in CNI_NETNS_OVERRIDE lets nothing pass") {
    World world;
    for (const std::string word : {"0", "false", "yes", ""}) {
        CAPTURE(word);
        Call call = call_of("loopback");
        call.netns = "/proc/self/ns/net";
        call.extra = {{"CNI_NETNS_OVERRIDE", word}};
        CHECK(invoke(call).code() == 8);
    }
}

TEST_CASE("protocol: a path that is missing or no namespace is refused by ADD and CHECK") {
    World world;
    const std::vector<std::pair<std::string, std::string>> paths = {
        {"/run/netns/nobody", "failed to Statfs \"/run/netns/nobody\": no such file or directory"},
        {"/etc", "unknown FS magic on \"/etc\": "},
    };
    for (const auto& [path, text] : paths) {
        for (const std::string plugin : {"bridge", "loopback"}) {
            Call call = call_of(plugin);
            call.netns = path;
            const Answer answer = invoke(call);
            CHECK(answer.code() == 999);
            CHECK_MESSAGE(contains(answer.msg(), text), answer.msg());
        }
        Call call = call_of("bridge", "CHECK", {{"prevResult", prev_result("1.0.0")}});
        call.netns = path;
        CHECK(invoke(call).code() == 999);
    }
    CHECK(leases("net").empty());
}

// ---- CNI_ARGS

TEST_CASE("protocol: CNI_ARGS that are no pairs are refused by ADD") {
    World world;
    world.netns("c1");
    for (const std::string plugin : {"bridge", "host-local"}) {
        for (const auto& [args, pair] : std::vector<std::pair<std::string, std::string>>{
                 {"nonsense", "nonsense"}, {"IgnoreUnknown=1;", ""}, {"A=b=c", "A=b=c"}, {";", ""}}) {
            CAPTURE(plugin + " " + args);
            Call call = call_of(plugin);
            call.args = args;
            refused(invoke(call), 999, "ARGS: invalid pair \"" + pair + "\"");
        }
    }
    CHECK(leases("net").empty());
}

TEST_CASE("protocol: unknown CNI_ARGS are refused unless IgnoreUnknown says otherwise") {
    World world;
    Call call = call_of("host-local");
    call.args = "K8S_POD_NAME=a;FOO=b";
    refused(invoke(call), 999, "ARGS: unknown args [\"K8S_POD_NAME=a\" \"FOO=b\"]");
    call.args += ";IgnoreUnknown=0";
    refused(invoke(call), 999, "ARGS: unknown args [\"K8S_POD_NAME=a\" \"FOO=b\"]");
    for (const std::string word : {"1", "true", "True", "TRUE"}) {
        CAPTURE(word);
        call.id = "c" + word;
        call.args = "K8S_POD_NAME=a;IgnoreUnknown=" + word + ";FOO=b";
        const Answer answer = invoke(call);
        CHECK_MESSAGE(answer.ok(), answer.out);
    }
}

TEST_CASE("protocol: CNI_ARGS with a broken boolean") {
    World world;
    Call call = call_of("host-local");
    call.args = "IgnoreUnknown=x";
    refused(invoke(call), 999,
            "ARGS: error parsing value of pair \"IgnoreUnknown=x\": boolean unmarshal error: invalid input x");
}

TEST_CASE("protocol: the order of errors is environment, input, verb, version, then the plugin's own") {
    World world;
    const Call plugins_own = call_of("bridge", "ADD", {{"mtu", "big"}});
    CHECK(invoke(plugins_own).code() == 999);
    Call call = call_of("bridge", "ADD", {{"mtu", "big"}, {"cniVersion", "9.9.9"}});
    CHECK(invoke(call).code() == 1);
    call.command = "NOPE";
    CHECK(invoke(call).code() == 4);
    call.config["name"] = "-";
    CHECK(invoke(call).code() == 7);
    call.raw = "nonsense";
    CHECK(invoke(call).code() == 6);
    call.command = "ADD";
    call.id = "-";
    CHECK(invoke(call).code() == 4);
}
