// SPDX-License-Identifier: Apache-2.0
// What an attachment relies on is taken away in the middle of a call, or behind its back: the namespace, the ruleset.
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge_call.h"

using namespace test;

namespace {

const json mapped = {{"portMappings", {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}}}};

// An IPAM plugin that does something first, and then what host-local does: between bridge's veth pair and its
// addresses.
std::string path_with_ipam(const std::string& first) {
    sh("mkdir -p /run/plugins");
    std::ofstream("/run/plugins/meddler")
        << "#!/bin/sh\n[ $CNI_COMMAND = ADD ] && { " + first + "; } >&2\nexec " + bin_dir() + "/host-local\n";
    sh("chmod 755 /run/plugins/meddler");
    return "/run/plugins:" + bin_dir();
}

json meddled_config() {
    json config = bridge_config({{"ipMasq", true}, {"macspoofchk", true}, {"ipam", ipam({"10.9.0.0/24"})}});
    config["ipam"]["type"] = "meddler";
    return config;
}

Call meddled(const std::string& command, const std::string& path, const std::string& id = "c1") {
    return {.plugin = "bridge",
            .command = command,
            .config = meddled_config(),
            .id = id,
            .netns = "/run/netns/" + id,
            .path = path,
            .wrapper = {"timeout", "30"}};
}

void nothing_left() {
    CHECK(
        eventually([] { return sh("ip -o link show type veth").empty(); })); // the kernel ends a namespace in its time
    CHECK(leases("net").empty());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
}

// bridge, portmap, firewall: a host whose iptables forward only what is said to be welcome.
struct Host {
    World world;
    std::string outside, c1, c2;
    Network network;

    static json list() {
        json conflist = bridge_portmap_list();
        conflist["plugins"].push_back({{"type", "firewall"}});
        return conflist;
    }
    Host() : outside(world.outside()), c1(world.netns("c1")), c2(world.netns("c2")), network(list()) {
        sh("iptables -P FORWARD DROP");
        REQUIRE(network.add("c1", mapped).ok());
    }
    [[nodiscard]] bool is_reached(const Server& /*running*/) const {
        return ask(outside, "tcp", "192.0.2.1", 8080).has_value();
    }
};

} // namespace

TEST_CASE("attack: a namespace that goes away between the veth pair and its addresses") {
    World world;
    for (const std::string away : {"umount -l /run/netns/c1; rm /run/netns/c1", "umount -l /run/netns/c1"}) {
        CAPTURE(away);
        world.netns("c1");
        const std::string path = path_with_ipam(away);
        const Answer answer = invoke(meddled("ADD", path));
        CHECK(answer.status <= 1);
        CHECK(answer.document().is_object());
        CHECK(invoke(meddled("DEL", path)).ok());
        nothing_left();
        sh("rm -f /run/netns/c1");
    }
}

TEST_CASE("attack: a namespace that goes away at any moment of ADD, CHECK, DEL") {
    World world;
    for (const std::string command : {"ADD", "CHECK", "DEL"}) {
        for (useconds_t delay = 0; delay < 6000; delay += 300) {
            CAPTURE(command);
            CAPTURE(delay);
            const std::string c1 = world.netns("c1");
            json config = bridge_config({{"ipMasq", true}});
            if (command != "ADD")
                config["prevResult"] = added(config);
            const pid_t pid = fork();
            if (pid == 0) {
                usleep(delay);
                _exit(umount2(c1.c_str(), MNT_DETACH) == 0 && unlink(c1.c_str()) == 0 ? 0 : 1);
            }
            const Answer answer = bridge(command, config);
            waitpid(pid, nullptr, 0);
            CHECK(answer.status <= 1);
            if (!answer.ok())
                CHECK(!answer.msg().empty());
            CHECK(bridge("DEL", config).ok());
            nothing_left();
        }
    }
}

TEST_CASE("attack: a ruleset flushed in the middle of an ADD") {
    World world;
    world.netns("c1"), world.netns("c2");
    // The IPAM plugin runs beside the spoof check, so it waits for that.
    const std::string path = path_with_ipam("for i in $(seq 300); do nft list set bridge cnative guarded | grep -q c1/ "
                                            "&& break; sleep 0.01; done >/dev/null 2>&1; nft flush ruleset");
    const json config = bridge_config({{"ipMasq", true}, {"macspoofchk", true}});
    const json theirs = added(config, "c2");
    const Answer answer = invoke(meddled("ADD", path));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    // What came before the flush is gone, what came after it is there.
    Call call = meddled("CHECK", path);
    call.config["prevResult"] = answer.document();
    CHECK(contains(invoke(call).msg(), "the MAC spoof check is missing"));
    CHECK(contains(sh("nft list set inet cnative masq4"), "net/c1/eth0"));
    call.command = "DEL";
    REQUIRE(invoke(call).ok());
    added(config, "c1");
    // The other one lost its elements, and is told so.
    CHECK(contains(bridge("CHECK", config, "c2", theirs).msg(), "is missing"));
    REQUIRE(bridge("DEL", config, "c2", theirs).ok());
    const json again = added(config, "c2");
    CHECK(bridge("CHECK", config, "c2", again).ok());
}

TEST_CASE("attack: after nft flush ruleset CHECK says what is missing, and DEL and ADD bring everything back") {
    Host host;
    const Server server(host.c1, "tcp", 80, "c1");
    REQUIRE(host.is_reached(server));
    sh("nft flush ruleset; iptables -P FORWARD DROP");
    CHECK(!host.is_reached(server));
    const Answer told = host.network.check("c1", mapped);
    CHECK(told.status == 1);
    CHECK_MESSAGE(contains(told.msg(), "is missing"), told.out);
    // What each plugin says on its own.
    for (const std::size_t index : {1U, 2U}) {
        CAPTURE(index);
        const std::string plugin = index == 1 ? "portmap" : "firewall";
        const Answer own = invoke({.plugin = plugin,
                                   .command = "CHECK",
                                   .config = host.network.config(index, host.network.results["c1"], mapped),
                                   .netns = host.c1});
        CHECK(own.status == 1);
        CHECK_MESSAGE((contains(own.msg(), "8080/tcp") || contains(own.msg(), "missing")), own.out);
    }
    REQUIRE(host.network.del("c1", mapped).ok());
    REQUIRE(host.network.add("c1", mapped).ok());
    CHECK(host.network.check("c1", mapped).ok());
    CHECK(host.is_reached(server));
}

TEST_CASE("attack: a firewall's reload that takes its own tables away leaves ours, and the next ADD mends the rest") {
    Host host;
    const Server server(host.c1, "tcp", 80, "c1");
    sh("nft 'add table inet firewalld; add chain inet firewalld f { type filter hook forward priority 10; }'");
    REQUIRE(host.is_reached(server));
    // As firewalld and iptables services do: delete and make anew what is theirs.
    sh("nft 'delete table inet firewalld; add table inet firewalld'; iptables -F; iptables -X; iptables -P FORWARD "
       "DROP");
    const Answer told = host.network.check("c1", mapped);
    CHECK(told.status == 1);
    CHECK_MESSAGE(contains(told.msg(), "CNI"), told.out);
    REQUIRE(host.network.add("c2").ok()); // anybody's
    const Answer healed = host.network.check("c1", mapped);
    CHECK_MESSAGE(healed.ok(), healed.out);
    CHECK(host.is_reached(server));
}

TEST_CASE("attack: a data dir that others own or may write is told on stderr, and leases are made") {
    World world;
    world.netns("c1");
    const std::string dir = "/var/lib/cni/networks";
    sh("mkdir -p " + dir + "/net");
    CHECK(!contains(bridge("ADD", bridge_config()).err, "data dir"));
    CHECK(bridge("DEL", bridge_config()).ok());
    for (const std::string open : {"chmod 777 ", "chmod 1777 ", "chmod 775 ", "chown 1000 "}) {
        for (const std::string& folder : {dir, dir + "/net"}) {
            CAPTURE(open + folder);
            sh("chown 0 " + dir + " " + dir + "/net; chmod 755 " + dir + " " + dir + "/net; " + open + folder);
            const Answer answer = bridge("ADD", bridge_config());
            CHECK_MESSAGE(answer.ok(), answer.out);
            CHECK_MESSAGE(contains(answer.err, "warning: data dir " + folder + " "), answer.err);
            CHECK(bridge("DEL", bridge_config()).ok());
        }
    }
}
