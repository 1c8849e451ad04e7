// SPDX-License-Identifier: Apache-2.0
// What all plugins share: versions of the protocol, and results in each.
#include <doctest/doctest.h>

#include "protocol_call.h"

using namespace test;

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

TEST_CASE("protocol: from 1.0.0 on `version` of a prevResult's address is no key, whatever it is") {
    World world;
    world.netns("c1");
    for (const json& version : {json(4), json("x"), json(true), json::array(), json{{"a", 1}}}) {
        CAPTURE(version.dump());
        for (const std::string plugin : {"portmap", "tuning"}) {
            json prev = prev_result("1.0.0");
            prev["ips"][0]["version"] = version;
            const Answer answer = invoke(call_of(plugin, "ADD", {{"prevResult", prev}}));
            REQUIRE_MESSAGE(answer.ok(), answer.out);
            CHECK(answer.document() == prev_result("1.0.0"));
            CHECK(!contains(answer.err, "version"));
        }
    }
    json prev = prev_result("0.4.0");
    prev["ips"][0]["version"] = 4;
    const Answer answer = invoke(call_of("portmap", "ADD", {{"cniVersion", "0.4.0"}, {"prevResult", prev}}));
    CHECK(answer.status == 1);
}

// libcni decodes it into a map, and encodes that before it reads it. The rest of a config it reads as it is.
TEST_CASE("protocol: whole numbers of a prevResult may be written as 2.0 or 1e3") {
    World world;
    world.netns("c1");
    for (const std::string number : {"2.0", "0.2e1", "20e-1", "2"}) {
        CAPTURE(number);
        for (const std::string plugin : {"portmap", "tuning"}) {
            json config = config_of(plugin);
            config["prevResult"]["ips"][0]["interface"] = "NUMBER";
            std::string text = config.dump();
            text.replace(text.find("\"NUMBER\""), 8, number);
            const Answer answer = invoke(with_stdin(text, plugin));
            REQUIRE_MESSAGE(answer.ok(), answer.out);
            CHECK(answer.document()["ips"][0]["interface"].dump() == "2");
        }
    }
    for (const std::string number : {"2.5", "1e30", "\"2\""}) {
        CAPTURE(number);
        json config = config_of("portmap");
        config["prevResult"]["ips"][0]["interface"] = json::parse(number);
        CHECK(invoke(with_stdin(config.dump(), "portmap")).status == 1);
    }
}

// As {"dst": "<nil>"} the Go suite's next plugin would refuse it.
TEST_CASE("protocol: null among a prevResult's routes and interfaces is handed on") {
    World world;
    world.netns("c1");
    for (const std::string plugin : {"portmap", "tuning"}) {
        for (const std::string version : {"0.4.0", "1.0.0"}) {
            CAPTURE(plugin);
            CAPTURE(version);
            json prev = prev_result(version);
            prev["routes"].push_back(nullptr);
            if (version == "1.0.0")
                prev["interfaces"].push_back(nullptr);
            const Answer answer = invoke(call_of(plugin, "ADD", {{"cniVersion", version}, {"prevResult", prev}}));
            REQUIRE_MESSAGE(answer.ok(), answer.out);
            CHECK(answer.document() == prev);
        }
    }
}

TEST_CASE("protocol: under 0.2.0 a prevResult without addresses is handed on by a chained plugin") {
    World world;
    world.netns("c1");
    for (const std::string plugin : {"portmap", "tuning"}) {
        CAPTURE(plugin);
        const Answer answer = invoke(call_of(plugin, "ADD", {{"cniVersion", "0.2.0"}, {"prevResult", json::object()}}));
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.document() == json{{"cniVersion", "0.2.0"}, {"dns", json::object()}});
    }
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
