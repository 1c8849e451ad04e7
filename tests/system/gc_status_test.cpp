// SPDX-License-Identifier: Apache-2.0
// bridge and host-local: GC and STATUS.
#include <doctest/doctest.h>

#include <fstream>

#include "bandwidth_call.h"

using namespace test;

namespace {

json gc_config(const json& more = json::object()) {
    json config = bridge_config({{"cniVersion", "1.1.0"},
                                 {"isDefaultGateway", true},
                                 {"ipMasq", true},
                                 {"macspoofchk", true},
                                 {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}});
    config.update(more);
    return config;
}

Answer gc(json config, const json& valid) {
    if (!valid.is_null())
        config["cni.dev/valid-attachments"] = valid;
    return invoke({.plugin = "bridge", .command = "GC", .config = config, .id = "", .ifname = ""});
}

json attachment(const std::string& id, const std::string& ifname = "eth0") {
    return {{"containerID", id}, {"ifname", ifname}};
}

// What there is of a container, in the kernel and on disk.
bool has_link(const std::string& owner) {
    return contains(sh("ip -o -d link show type veth"), "alias cnative:" + owner);
}
bool has_rules(const std::string& owner) {
    return contains(sh("nft list ruleset"), "comment \"" + owner + "\"");
}

Answer status(const json& config, const std::string& plugin = "bridge") {
    return invoke({.plugin = plugin, .command = "STATUS", .config = config, .id = "", .ifname = ""});
}

json status_config(const json& more = json::object()) {
    json config = bridge_config({{"cniVersion", "1.1.0"}});
    config.update(more);
    return config;
}

void check_status(const json& config, const std::string& text) {
    const Answer answer = status(config);
    CHECK(answer.status == 1);
    CHECK(answer.code() == 50);
    CHECK_MESSAGE(contains(answer.msg(), text), answer.msg());
}

// An executable in a folder of its own beside the real host-local.
std::string folder_with(const std::string& name, const std::string& script) {
    sh("mkdir -p /run/plugins");
    std::ofstream("/run/plugins/" + name) << script;
    sh("chmod 755 /run/plugins/" + name);
    return "/run/plugins:" + bin_dir();
}

} // namespace

TEST_CASE("gc: leases, links, masquerade and spoof-check elements of what is not valid go") {
    World world;
    world.netns("c1");
    added(gc_config());
    REQUIRE(has_rules("net/c1/eth0"));
    const Answer answer = gc(gc_config(), json::array());
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.out.empty());
    CHECK(leases("net").empty());
    CHECK(sh("ip -o link show type veth").empty());
    CHECK(!has_rules("net/c1/eth0"));
    CHECK(!contains(sh("nft list ruleset"), "veth"));
}

TEST_CASE("gc: what is valid is untouched") {
    World world;
    world.netns("c1");
    const std::string c2 = world.netns("c2"), outside = world.outside();
    added(gc_config());
    added(gc_config(), "c2");
    REQUIRE(gc(gc_config(), json::array({attachment("c2")})).ok());
    CHECK(!has_link("net/c1/eth0"));
    CHECK(has_link("net/c2/eth0"));
    CHECK(leases("net") == std::vector<std::string>{"10.9.0.3", "fd09::3"});
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c2, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
    CHECK(ask(c2, "tcp", "2001:db8::2", 80) == "outside 2001:db8::1");
}

TEST_CASE("gc: only the interface that is valid stays") {
    World world;
    world.netns("c1");
    added(gc_config());
    json second = gc_config({{"isDefaultGateway", false}});
    REQUIRE(invoke({.plugin = "bridge", .config = second, .netns = "/run/netns/c1", .ifname = "eth1"}).ok());
    REQUIRE(gc(gc_config(), json::array({attachment("c1", "eth1")})).ok());
    CHECK(!has_link("net/c1/eth0"));
    CHECK(has_link("net/c1/eth1"));
    CHECK(has_rules("net/c1/eth1"));
    CHECK(leases("net") == std::vector<std::string>{"10.9.0.3", "fd09::3"});
}

TEST_CASE("gc: other networks are untouched") {
    World world;
    world.netns("c1");
    world.netns("c2");
    // A name that begins with ours.
    const json other = gc_config({{"name", "net2"}, {"bridge", "br2"}, {"ipam", ipam({"10.8.0.0/24"})}});
    added(gc_config());
    added(other, "c2");
    REQUIRE(gc(gc_config(), json::array()).ok());
    CHECK(has_link("net2/c2/eth0"));
    CHECK(has_rules("net2/c2/eth0"));
    CHECK(leases("net2") == std::vector<std::string>{"10.8.0.2"});
}

TEST_CASE("gc: links that are not ours are untouched") {
    World world;
    world.netns("c1");
    added(gc_config());
    sh("ip link add vethcafe0001 type veth peer name vethcafe0002; ip link set vethcafe0001 alias 'net/c1/eth0'");
    REQUIRE(gc(gc_config(), json::array()).ok());
    CHECK(works("ip link show vethcafe0001"));
    CHECK(works("ip link show br0"));
}

TEST_CASE("gc: the older key cni.dev/attachments is read when the newer is absent") {
    World world;
    world.netns("c1");
    world.netns("c2");
    added(gc_config());
    added(gc_config(), "c2");
    REQUIRE(gc(gc_config({{"cni.dev/attachments", json::array({attachment("c2")})}}), nullptr).ok());
    CHECK(!has_link("net/c1/eth0"));
    CHECK(has_link("net/c2/eth0"));
}

TEST_CASE("gc: without a list of attachments none is valid") {
    World world;
    world.netns("c1");
    added(gc_config());
    const Answer answer = gc(gc_config(), nullptr);
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(!has_link("net/c1/eth0"));
    CHECK(!has_rules("net/c1/eth0"));
    CHECK(leases("net").empty());
}

// The end of the interface's name was taken for the mark of a half-made link, and the link for another interface's.
TEST_CASE("gc: an interface whose name ends as the alias of a half-made link is kept while it is valid") {
    World world;
    const std::string c1 = world.netns("c1");
    const std::string name = "e0;pending";
    REQUIRE(invoke({.plugin = "bridge", .config = gc_config(), .netns = c1, .ifname = name}).ok());
    CHECK(gc(gc_config(), json::array({attachment("c1", name)})).ok());
    CHECK(works("ip link show 'e0;pending'", c1));
    CHECK(gc(gc_config(), json::array()).ok());
    CHECK(!works("ip link show 'e0;pending'", c1));
}

TEST_CASE("gc: a half-made endpoint goes") {
    World world;
    world.netns("c1");
    added(gc_config());
    sh("ip link set $(ip -o link show type veth | sed 's/.*: \\(veth[0-9a-f]*\\)@.*/\\1/') alias "
       "'cnative:net/c1/eth0;pending'");
    REQUIRE(gc(gc_config(), json::array()).ok());
    CHECK(sh("ip -o link show type veth").empty());
}

// Between its birth and its alias nothing told whose it was, and no GC took it away.
TEST_CASE("gc: a link whose ADD was killed right after making it goes, another network's stays") {
    World world;
    with_veth(world);
    world.netns("c2");
    world.netns("c3");
    Call bridge = {.plugin = "bridge", .config = gc_config(), .id = "c2", .netns = "/run/netns/c2"};
    Call limited = bandwidth("ADD", both_ways(), "1.1.0");
    for (Call call : {bridge, limited}) {
        CAPTURE(call.plugin);
        const std::string links = "ip -o link show type veth | grep -v hostv; ip -o link show type ifb";
        int without_alias = 0;
        for (int nth = 1;; ++nth) { // of the messages to the kernel: one makes the link
            CAPTURE(nth);
            call.wrapper = {FAILAT, "--call", "sendto", std::to_string(nth), "KILL"};
            if (invoke(call).ok())
                break;
            without_alias += sh(links).empty() || contains(sh(links), "alias") ? 0 : 1;
            Call collect = call;
            collect.wrapper.clear();
            collect.command = "GC";
            collect.config["name"] = "other";
            const std::string before = sh(links);
            collect.config["cni.dev/valid-attachments"] = json::array();
            REQUIRE(invoke(collect).ok());
            REQUIRE(sh(links) == before);
            collect.config["name"] = "net";
            REQUIRE(invoke(collect).ok());
            REQUIRE(sh(links).empty());
        }
        CHECK_MESSAGE(without_alias > 0, "no ADD was killed between the link's birth and its alias");
        call.wrapper.clear();
        call.command = "DEL";
        REQUIRE(invoke(call).ok());
    }
}

TEST_CASE("gc: a lease without anything else goes") {
    World world;
    world.netns("c1");
    added(gc_config());
    sh("ip link del br0; ip -o link show type veth | sed 's/.*: \\(veth[0-9a-f]*\\)@.*/ip link del \\1/' | sh; nft "
       "flush "
       "ruleset");
    REQUIRE(gc(gc_config(), json::array()).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("gc: a failing IPAM plugin is reported after the rest is done") {
    World world;
    world.netns("c1");
    added(gc_config());
    const std::string path =
        folder_with("broken", "#!/bin/sh\necho '{\"code\": 123, \"msg\": \"out of order\"}'\nexit 1\n");
    json config = gc_config();
    config["ipam"]["type"] = "broken";
    const Answer answer =
        invoke({.plugin = "bridge", .command = "GC", .config = config, .id = "", .ifname = "", .path = path});
    CHECK(answer.status == 1);
    CHECK(answer.code() == 123);
    CHECK(answer.msg() == "out of order");
    CHECK(!has_link("net/c1/eth0"));
    CHECK(!has_rules("net/c1/eth0"));
}

namespace {

/// GC of a bridge network without valid attachments; `error` as strace injects it into socket(2), told in /run/trace.
Answer gc_refused_sockets(const std::string& error) {
    return invoke(
        {.plugin = "bridge",
         .command = "GC",
         .config = gc_config(),
         .id = "",
         .ifname = "",
         .wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "trace=socket", "-e", "inject=socket:error=" + error}});
}

} // namespace

TEST_CASE("gc: a kernel that refuses to open netfilter's socket is reported after links and leases are gone") {
    World world;
    world.netns("c1");
    added(gc_config());
    const Answer answer = gc_refused_sockets("ENOBUFS:when=1");
    CHECK(contains(sh("grep INJECTED /run/trace"), "NETLINK_NETFILTER"));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "nfnetlink socket: no buffer space available"), answer.msg());
    CHECK(!has_link("net/c1/eth0"));
    CHECK(leases("net").empty());
}

// Was reported as two errors, on every GC of every bridge network of such a host.
TEST_CASE("gc: a kernel without nftables has no elements to collect, and the rest goes") {
    World world;
    world.netns("c1");
    added(gc_config({{"ipMasq", false}, {"macspoofchk", false}}));
    const Answer answer = gc_refused_sockets("EPROTONOSUPPORT:when=1..2");
    CHECK(sh("grep -c 'NETFILTER.*INJECTED' /run/trace") == "2\n");
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(!has_link("net/c1/eth0"));
    CHECK(leases("net").empty());
}

TEST_CASE("gc: nothing to collect is fine") {
    World world;
    const Answer answer = gc(gc_config(), json::array());
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(!works("ip link show br0"));
    CHECK(!contains(sh("nft list ruleset"), "table"));
}

TEST_CASE("gc: a config older than 1.1.0 is refused") {
    World world;
    const Answer answer = gc(gc_config({{"cniVersion", "1.0.0"}}), json::array());
    CHECK(answer.code() == 1);
    CHECK(answer.msg() == "config version does not allow GC");
}

// ---- STATUS

TEST_CASE("status: all well is silent") {
    World world;
    for (const bool masquerade : {false, true}) {
        const Answer answer = status(status_config({{"ipMasq", masquerade}, {"macspoofchk", masquerade}}));
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(answer.out.empty());
    }
    CHECK(!works("ip link show br0"));
    CHECK(!contains(sh("nft list ruleset"), "table"));
}

TEST_CASE("status: with containers about it is still silent") {
    World world;
    world.netns("c1");
    added(status_config({{"ipMasq", true}}));
    const Answer answer = status(status_config({{"ipMasq", true}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

TEST_CASE("status: an exhausted range") {
    World world;
    world.netns("c1");
    const json config = status_config({{"ipam", ipam({"10.9.0.0/30"})}});
    added(config);
    check_status(config, "10.9.0.1-10.9.0.2");
}

TEST_CASE("status: a data dir that cannot be written") {
    World world;
    sh("mkdir /run/data; mount -t tmpfs -o ro none /run/data");
    check_status(status_config({{"ipam", ipam({"10.9.0.0/24"}, {{"dataDir", "/run/data"}})}}), "/run/data");
}

TEST_CASE("status: a full bridge") {
    World world;
    std::ofstream batch("/run/batch");
    batch << "link add br0 type bridge\n";
    for (int pair = 0; pair < 512; ++pair)
        batch << "link add p" << pair << (pair == 0 ? "" : " master br0") << " type veth peer name q" << pair
              << "\nlink set q" << pair << " master br0\n";
    batch.close();
    sh("ip -batch /run/batch");
    check_status(status_config(), "bridge br0 is full: it has 1023 ports, which is the most the kernel allows");
}

TEST_CASE("status: the bridge's name is taken by something else") {
    World world;
    sh("ip link add br0 type veth");
    check_status(status_config(), "\"br0\" already exists but is not a bridge");
}

TEST_CASE("status: a kernel without nftables is told by the option it needs") {
    World world;
    // The kernel's answer when nfnetlink has no nftables behind it.
    const Answer answer =
        invoke({.plugin = "bridge",
                .command = "STATUS",
                .config = status_config({{"ipMasq", true}}),
                .id = "",
                .ifname = "",
                .wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "inject=socket:error=EPROTONOSUPPORT:when=2+"}});
    CHECK(answer.status == 1);
    CHECK(answer.code() == 50);
    CHECK_MESSAGE(contains(answer.msg(), "CONFIG_"), answer.msg());
}

TEST_CASE("status: an IPAM plugin that is not there") {
    World world;
    const Answer answer = status(status_config({{"ipam", {{"type", "nope"}}}}));
    CHECK(answer.status == 1);
    CHECK(answer.msg() == "failed to find plugin \"nope\" in path [" + bin_dir() + "]");
}

TEST_CASE("status: an IPAM plugin's code comes through") {
    World world;
    const std::string path = folder_with("broken", "#!/bin/sh\necho '{\"code\": 51, \"msg\": \"limited\"}'\nexit 1\n");
    json config = status_config({{"ipam", {{"type", "broken"}}}});
    const Answer answer =
        invoke({.plugin = "bridge", .command = "STATUS", .config = config, .id = "", .ifname = "", .path = path});
    CHECK(answer.code() == 51);
    CHECK(answer.msg() == "limited");
}

TEST_CASE("status: broken keys are told") {
    World world;
    const Answer answer = status(status_config({{"mtu", "big"}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg().starts_with("failed to load netconf: "));
}
