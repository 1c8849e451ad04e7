// SPDX-License-Identifier: Apache-2.0
// What all plugins share: variables, verbs, the namespace, and one document on stdout.
#include <doctest/doctest.h>

#include <algorithm>

#include "protocol_call.h"

using namespace test;

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

TEST_CASE("protocol: what the variables of an attachment hold is nothing to GC and STATUS") {
    World world;
    for (const std::string& plugin : plugins) {
        for (const std::string command : {"GC", "STATUS"}) {
            CAPTURE(plugin + " " + command);
            Call call = call_of(plugin, command, {{"cniVersion", "1.1.0"}});
            call.id = "-";
            call.netns = "/proc/self/ns/net";
            call.ifname = "a/b";
            call.args = "no pair";
            const Answer answer = invoke(call);
            CHECK_MESSAGE(answer.ok(), answer.out);
            CHECK(answer.out.empty());
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

TEST_CASE("protocol: --version names the suite's version, the commit and the licences") {
    World world;
    for (const std::string& plugin : plugins) {
        CAPTURE(plugin);
        const Output output = run({bin_dir() + "/" + plugin, "--version"});
        CHECK(output.status == 0);
        CHECK(output.err.empty());
        CHECK(output.out.starts_with(plugin + " (cnative) 0."));
        CHECK(contains(output.out, ", commit "));
        CHECK(contains(output.out, "Apache-2.0"));
        CHECK(contains(output.out, "libnftnl (GPL-2.0-or-later)") == (plugin == "bridge" || plugin == "portmap"));
    }
}

// ---- one document on stdout, whatever happens

TEST_CASE("protocol: an ADD whose stdout is closed fails and leaves nothing") {
    World world;
    const std::string netns = world.netns("c1");
    for (const std::string plugin : {"bridge", "host-local"}) {
        CAPTURE(plugin);
        Call call = call_of(plugin);
        call.wrapper = {"sh", "-c", "exec \"$0\" >&-"};
        const Answer answer = invoke(call);
        CHECK(answer.status == 1);
        CHECK(contains(answer.err, "could not be written to stdout"));
        CHECK(leases("net").empty());
        CHECK(!works("ip link show eth0", netns));
    }
}

TEST_CASE("protocol: an ADD whose result cannot be written fails and leaves nothing") {
    World world;
    Call call = call_of("host-local");
    call.wrapper = {"sh", "-c", "exec \"$0\" >/dev/full"};
    CHECK(invoke(call).status == 1);
    CHECK(leases("net").empty());
}

TEST_CASE("protocol: an error that nobody can read is still a failure") {
    World world;
    for (const std::string redirection : {">&-", ">/dev/full", "2>&-"}) {
        CAPTURE(redirection);
        Call call = call_of("bridge");
        call.id = "-";
        call.wrapper = {"sh", "-c", "exec \"$0\" " + redirection};
        CHECK(invoke(call).status == 1);
    }
}

TEST_CASE("protocol: SIGTERM while standard input is still open is answered") {
    World world;
    sh("mkfifo /run/never-closed");
    for (const std::string& plugin : plugins) {
        CAPTURE(plugin);
        Call call = call_of(plugin);
        // Not before it can: a build with sanitizers takes its time to start.
        call.wrapper = {"sh", "-c",
                        "\"$0\" <>/run/never-closed & n=0; until grep -qs '^SigCgt:.*[4-7c-f]...$' /proc/$!/status || "
                        "[ $n = 200 ]; do sleep 0.02; n=$((n + 1)); done; sleep 0.1; kill $!; wait $!"};
        const Answer answer = invoke(call);
        CHECK(answer.status == 1);
        CHECK(answer.code() == 999);
        CHECK_MESSAGE(contains(answer.msg(), "SIGTERM"), answer.msg());
    }
}

TEST_CASE("protocol: descriptors that the caller left open do not reach the IPAM plugin") {
    World world;
    world.netns("c1");
    sh("mkdir /run/plugins; printf '#!/bin/sh\\nls -l /proc/self/fd >/run/seen\\nexit 1\\n' >/run/plugins/spy;"
       "chmod 755 /run/plugins/spy");
    Call call = call_of("bridge", "ADD", {{"ipam", {{"type", "spy"}}}});
    call.path = "/run/plugins";
    call.wrapper = {"sh", "-c", "exec \"$0\" 7</etc/hostname"};
    CHECK(invoke(call).status == 1);
    CHECK(contains(sh("cat /run/seen"), "0 -> "));
    CHECK(!contains(sh("cat /run/seen"), "/etc/hostname"));
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
    for (const auto& [value, word] : {std::pair{"x", "x"}, {"T", "t"}, {"YES", "yes"}}) {
        const std::string pair = std::string("IgnoreUnknown=") + value;
        call.args = pair;
        refused(invoke(call), 999,
                "ARGS: error parsing value of pair \"" + pair + "\": boolean unmarshal error: invalid input " + word);
    }
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
