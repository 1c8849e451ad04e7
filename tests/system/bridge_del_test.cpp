// SPDX-License-Identifier: Apache-2.0
// bridge DEL in every circumstance, and what a killed ADD or DEL leaves to the next call.
#include <doctest/doctest.h>

#include <fstream>

#include "bridge_call.h"

using namespace test;

namespace {

// Everything that DEL has to take away, of both families.
json full_config(const json& more = json::object()) {
    json config = bridge_config({{"isDefaultGateway", true},
                                 {"ipMasq", true},
                                 {"macspoofchk", true},
                                 {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}});
    config.update(more);
    return config;
}

void check_nothing_left() {
    CHECK(leases("net").empty());
    CHECK(sh("ip -o link show type veth").empty());
    const std::string rules = sh("nft list ruleset");
    for (const std::string trace : {"net/c1/eth0", "10.9.0.2", "fd09::2", "veth", "c1-eth0"})
        CHECK_MESSAGE(!contains(rules, trace), rules);
}

// A DEL as `how` has it, of a container made in the ordinary way: succeeds, says nothing, leaves nothing.
void check_del(Call how) {
    how.plugin = "bridge";
    how.command = "DEL";
    const Answer answer = invoke(how);
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.out.empty());
    check_nothing_left();
}

Answer killed_at(int number, const std::string& command, const json& config) {
    return invoke({.plugin = "bridge",
                   .command = command,
                   .config = config,
                   .netns = "/run/netns/c1",
                   .wrapper = {FAILAT, std::to_string(number), "KILL"}});
}

constexpr int killed = 137;

} // namespace

TEST_CASE("bridge: DEL removes link, lease and rules, and leaves the bridge") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(full_config());
    check_del({.config = full_config({{"prevResult", result}}), .netns = c1});
    CHECK(!works("ip link show eth0", c1));
    CHECK(contains(sh("ip -o addr show dev br0"), " 10.9.0.1/24 "));
}

TEST_CASE("bridge: DEL of a namespace that has gone") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(full_config());
    world.remove_netns("c1");
    check_del({.config = full_config({{"prevResult", result}}), .netns = c1});
}

TEST_CASE("bridge: DEL with an empty CNI_NETNS") {
    World world;
    world.netns("c1");
    const json result = added(full_config());
    check_del({.config = full_config({{"prevResult", result}}), .netns = ""});
}

TEST_CASE("bridge: DEL without CNI_NETNS") {
    World world;
    world.netns("c1");
    added(full_config());
    check_del({.config = full_config(), .unset = {"CNI_NETNS"}});
}

TEST_CASE("bridge: DEL with an empty CNI_NETNS and without prevResult") {
    World world;
    world.netns("c1");
    added(full_config());
    check_del({.config = full_config(), .netns = ""});
}

TEST_CASE("bridge: DEL of a path that is no namespace") {
    World world;
    world.netns("c1");
    added(full_config());
    check_del({.config = full_config(), .netns = "/etc/passwd"});
}

TEST_CASE("bridge: DEL without prevResult") {
    World world;
    const std::string c1 = world.netns("c1");
    added(full_config());
    check_del({.config = full_config(), .netns = c1});
}

TEST_CASE("bridge: DEL with a broken prevResult") {
    for (const json& broken : {json("text"), json(7), json{{"ips", 7}}, json{{"cniVersion", "9.9.9"}},
                               json{{"cniVersion", "1.0.0"}, {"ips", {{{"address", "nonsense"}}}}}}) {
        World world;
        const std::string c1 = world.netns("c1");
        added(full_config());
        check_del({.config = full_config({{"prevResult", broken}}), .netns = c1});
    }
}

// Once only the addresses of prevResult were looked at: what it did not name stayed.
TEST_CASE("bridge: DEL with a prevResult that names other addresses") {
    World world;
    const std::string c1 = world.netns("c1");
    json result = added(full_config());
    result["ips"] = {{{"address", "10.9.0.77/24"}, {"interface", 2}}};
    check_del({.config = full_config({{"prevResult", result}}), .netns = c1});
}

// The batch that removes masquerading may name an element once only. A dump of a set under change may give one twice,
// too, which is how forty DELs at once without prevResult used to fail now and then.
TEST_CASE("bridge: DEL with a prevResult that names an address twice") {
    World world;
    const std::string c1 = world.netns("c1");
    json result = added(full_config());
    result["ips"].push_back(result["ips"][0]);
    check_del({.config = full_config({{"prevResult", result}}), .netns = c1});
}

TEST_CASE("bridge: DEL with config keys that ADD would refuse") {
    for (const json& broken : {json{{"bridge", 7}}, json{{"mtu", "big"}}, json{{"vlan", 5000}}, json{{"vlan", 100}},
                               json{{"vlanTrunk", {{{"id", 0}}}}}, json{{"ipMasq", "yes"}}, json{{"dns", 1}},
                               json{{"runtimeConfig", {{"mac", "zz"}}}}}) {
        World world;
        const std::string c1 = world.netns("c1");
        added(full_config());
        check_del({.config = full_config(broken), .netns = c1});
    }
}

TEST_CASE("bridge: DEL with ranges that ADD would refuse") {
    World world;
    const std::string c1 = world.netns("c1");
    added(full_config());
    check_del({.config = full_config({{"ipam", ipam({"10.9.0.1/24"})}}), .netns = c1});
}

TEST_CASE("bridge: DEL with broken CNI_ARGS") {
    World world;
    const std::string c1 = world.netns("c1");
    added(full_config());
    check_del({.config = full_config(), .netns = c1, .args = "nonsense;MAC=zz;"});
}

TEST_CASE("bridge: DEL twice") {
    World world;
    const std::string c1 = world.netns("c1");
    added(full_config());
    check_del({.config = full_config(), .netns = c1});
    check_del({.config = full_config(), .netns = c1});
}

TEST_CASE("bridge: DEL before any ADD") {
    World world;
    const std::string c1 = world.netns("c1");
    check_del({.config = full_config(), .netns = c1});
    CHECK(!works("ip link show br0"));
}

TEST_CASE("bridge: DEL on layer 2") {
    World world;
    const std::string c1 = world.netns("c1");
    added(layer2_config());
    check_del({.config = layer2_config(), .netns = c1});
}

TEST_CASE("bridge: DEL of one container leaves the others") {
    World world;
    world.netns("c1");
    const std::string c2 = world.netns("c2"), outside = world.outside();
    added(full_config());
    added(full_config(), "c2");
    REQUIRE(bridge("DEL", full_config()).ok());
    CHECK(leases("net") == std::vector<std::string>{"10.9.0.3", "fd09::3"});
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c2, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
}

TEST_CASE("bridge: DEL reports an IPAM plugin that is not there, after it has removed the rest") {
    World world;
    world.netns("c1");
    added(full_config());
    json config = full_config();
    config["ipam"]["type"] = "nope";
    const Answer answer = bridge("DEL", config);
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to find plugin \"nope\" in path [" + bin_dir() + "]");
    CHECK(sh("ip -o link show type veth").empty());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
}

// Everything was left undone when the first look for the link failed.
TEST_CASE("bridge: DEL does the rest when it cannot look for the link, and tells of it") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(full_config());
    const Answer answer = invoke({.plugin = "bridge",
                                  .command = "DEL",
                                  .config = full_config({{"prevResult", result}}),
                                  .netns = c1,
                                  .wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "trace=recvfrom", "-e",
                                              "inject=recvfrom:error=EAGAIN:when=2"}}); // the first empties the socket
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "look up link " + host_veth(result)), answer.out);
    check_nothing_left();
}

TEST_CASE("bridge: DEL removes what the Go suite's ADD made") {
    World world;
    const std::string c1 = world.netns("c1");
    const std::string theirs = go_dir() + "/bridge";
    if (!works("test -x " + theirs))
        SKIP_CASE("containernetworking-plugins is not installed");
    const json config = bridge_config();
    const Output made = run({theirs}, {.input = config.dump(),
                                       .environment = {{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
                                                        {"CNI_COMMAND", "ADD"},
                                                        {"CNI_CONTAINERID", "c1"},
                                                        {"CNI_NETNS", c1},
                                                        {"CNI_IFNAME", "eth0"},
                                                        {"CNI_PATH", go_dir()}}}});
    REQUIRE_MESSAGE(made.status == 0, made.out);
    check_del({.config = config, .netns = c1});
}

TEST_CASE("bridge: an address and its masquerade are given to the next container after DEL") {
    World world;
    const std::string outside = world.outside();
    world.netns("c1");
    const std::string c2 = world.netns("c2");
    const json config = full_config({{"ipam", ipam({"10.9.0.0/30"})}});
    added(config);
    REQUIRE(bridge("DEL", config).ok());
    added(config, "c2");
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c2, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
}

// ---- cut off in the middle

TEST_CASE("bridge: an ADD whose result nobody can read undoes everything") {
    World world;
    world.netns("c1");
    std::ofstream("/run/config") << full_config().dump();
    const Output output =
        run({"sh", "-c",
             "CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=" + bin_dir() + " " +
                 bin_dir() + "/bridge </run/config >/dev/full"});
    CHECK(output.status == 1);
    check_nothing_left();
}

// It took down the interface of the container that had the path by then.
TEST_CASE("bridge: a late or second DEL leaves the interface of whoever has the namespace's path by now") {
    World world;
    world.netns("c1");
    (void)added(bridge_config());
    world.remove_netns("c1");
    const std::string path = world.netns("c1");
    const Answer second = invoke({.plugin = "bridge", .config = bridge_config(), .id = "c2", .netns = path});
    REQUIRE_MESSAGE(second.ok(), second.out);
    for (const std::string time : {"late", "second"}) {
        CAPTURE(time);
        const Answer answer = bridge("DEL", bridge_config());
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(leases("net") == std::vector<std::string>{"10.9.0.3"});
        CHECK(works("ping -c1 -W2 10.9.0.1", path));
    }
    CHECK(invoke({.plugin = "bridge", .command = "DEL", .config = bridge_config(), .id = "c2", .netns = path}).ok());
    check_nothing_left();
}

// It took down the first network's interface.
TEST_CASE("bridge: DEL after an ADD that found its interface's name taken by another network leaves that one") {
    World world;
    const std::string c1 = world.netns("c1");
    (void)added(bridge_config());
    const json other = bridge_config({{"name", "other"}, {"ipam", ipam({"10.9.0.0/24"})}});
    CHECK(!bridge("ADD", other).ok());
    CHECK(bridge("DEL", other).ok());
    CHECK(leases("other").empty());
    CHECK(works("ping -c1 -W2 10.9.0.1", c1));
    CHECK(bridge("DEL", bridge_config()).ok());
    check_nothing_left();
}

TEST_CASE("bridge: SIGTERM while the IPAM plugin is at work undoes everything") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("mkdir /run/plugins; printf '#!/bin/sh\\n[ $CNI_COMMAND = ADD ] && exec sleep 20\\nexit 0\\n' "
       ">/run/plugins/slow; chmod 755 /run/plugins/slow");
    json config = full_config();
    config["ipam"] = {{"type", "slow"}};
    const Answer answer = invoke({.plugin = "bridge",
                                  .config = config,
                                  .netns = c1,
                                  .path = "/run/plugins",
                                  .wrapper = {"timeout", "--foreground", "--preserve-status", "-s", "TERM", "0.3"}});
    CHECK(answer.status == 1);
    CHECK(contains(answer.msg(), "everything done by this call was undone"));
    check_nothing_left();
    CHECK(!works("ip link show eth0", c1));
}

TEST_CASE("bridge: an ADD killed anywhere is cleaned up by DEL") {
    for (int number = 20;; number += 20) {
        World world;
        const std::string c1 = world.netns("c1");
        const int status = killed_at(number, "ADD", full_config()).status;
        CAPTURE(number);
        check_del({.config = full_config(), .netns = c1});
        if (status != killed)
            break;
    }
}

TEST_CASE("bridge: an ADD killed anywhere is no obstacle to the next ADD") {
    for (int number = 30;; number += 20) {
        World world;
        const std::string c1 = world.netns("c1");
        const Answer first = killed_at(number, "ADD", full_config());
        if (first.status != killed || !first.out.empty())
            break; // the runtime has its result
        CAPTURE(number);
        const Answer answer = bridge("ADD", full_config());
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(works("ping -c1 -W1 10.9.0.1", c1));
        CHECK(leases("net").size() == 2);
        check_del({.config = full_config(), .netns = c1});
    }
}

TEST_CASE("bridge: a DEL killed anywhere is finished by the next DEL") {
    for (int number = 20;; number += 20) {
        World world;
        const std::string c1 = world.netns("c1");
        added(full_config());
        const int status = killed_at(number, "DEL", full_config()).status;
        CAPTURE(number);
        check_del({.config = full_config(), .netns = c1});
        if (status != killed)
            break;
    }
}

TEST_CASE("bridge: a DEL killed anywhere is no obstacle to the next ADD after another DEL") {
    for (int number = 40;; number += 40) {
        World world;
        const std::string c1 = world.netns("c1");
        added(full_config());
        const int status = killed_at(number, "DEL", full_config()).status;
        CAPTURE(number);
        REQUIRE(bridge("DEL", full_config()).ok());
        added(full_config());
        CHECK(works("ping -c1 -W1 10.9.0.1", c1));
        if (status != killed)
            break;
    }
}
