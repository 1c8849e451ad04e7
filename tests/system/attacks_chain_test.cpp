// SPDX-License-Identifier: Apache-2.0
// Attacks on the plugins that come behind bridge: portmap, firewall, tuning, bandwidth.
#include <doctest/doctest.h>

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol_call.h"

using namespace test;

namespace {

const json limits = {
    {"ingressRate", 80000000}, {"ingressBurst", 8000000}, {"egressRate", 80000000}, {"egressBurst", 8000000}};
const json attributes = {{"mtu", 1400}, {"mac", "02:00:00:00:00:09"}};

json mapped(int port) {
    return {{"portMappings", {{{"hostPort", port}, {"containerPort", 80}, {"protocol", "tcp"}}}}};
}

json chained(const std::string& type, const json& more = json::object()) {
    json plugin = {{"type", type}};
    plugin.update(more);
    return plugin;
}

// Host port 8081 is c1's, 8082 c2's.
struct Chain {
    World world;
    std::string c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network;

    static json list() {
        json conflist = bridge_portmap_list();
        for (const json& plugin : {chained("firewall", {{"ingressPolicy", "isolated"}}), chained("tuning", attributes),
                                   chained("bandwidth", limits)})
            conflist["plugins"].push_back(plugin);
        return conflist;
    }
    Chain() : network(list()) {
        sh("iptables -P FORWARD DROP; ip6tables -P FORWARD DROP");
        for (const std::string id : {"c1", "c2"}) {
            const Answer answer = network.add(id, ports_of(id));
            REQUIRE_MESSAGE(answer.ok(), answer.out);
        }
    }
    static json ports_of(const std::string& id) { return mapped(id == "c1" ? 8081 : 8082); }

    /// One plugin's call for c1 with another's result.
    Answer hostile(std::size_t index, const std::string& command, const json& prev, const json& ports) {
        const json config = network.config(index, prev, ports);
        return invoke({.plugin = config["type"], .command = command, .config = config, .netns = c1});
    }
};

} // namespace

TEST_CASE("attack: the chain's plugins take nothing from those whom a prevResult names") {
    Chain chain;
    const json theirs = chain.network.results["c2"];
    json claimed = theirs; // as if all of it were c1's
    for (json& interface : claimed["interfaces"]) {
        if (interface.contains("sandbox") && interface["sandbox"] != "")
            interface["sandbox"] = chain.c1;
    }
    for (const json& prev : {theirs, claimed}) {
        for (const std::size_t index : {4U, 3U, 2U, 1U}) {
            CAPTURE(index);
            CHECK(chain.hostile(index, "CHECK", prev, mapped(8082)).status <= 1);
            CHECK(chain.hostile(index, "DEL", prev, mapped(8082)).status <= 1);
            const Answer checked = chain.network.check("c2", Chain::ports_of("c2"));
            CHECK_MESSAGE(checked.ok(), checked.out);
        }
    }
    // c1's own has gone as it should: it goes by c1's name.
    CHECK(!contains(sh("nft list table inet cnative | grep -v masq4 "), "8081"));
    CHECK(sh("ip -o link show type ifb | wc -l") == "1\n");
    CHECK(!works("test -e /run/cni/tuning/c1_eth0.json"));
}

TEST_CASE("attack: an ADD whose prevResult names another's host veth limits nobody") {
    Chain chain;
    const std::string before = sh("tc qdisc show | sort; ip -o link show type ifb | wc -l");
    json claimed = chain.network.results["c2"];
    const json config = chain.network.config(4, claimed, json::object());
    for (const std::string ifname : {"eth0", "lo"}) {
        CAPTURE(ifname);
        const Answer answer =
            invoke({.plugin = "bandwidth", .config = config, .id = "c3", .netns = chain.c1, .ifname = ifname});
        CHECK_MESSAGE(answer.status == 1, answer.out);
        CHECK(answer.document().is_object());
    }
    CHECK(sh("tc qdisc show | sort; ip -o link show type ifb | wc -l") == before);
}

TEST_CASE("attack: a namespace that goes away at any moment of a call of tuning or bandwidth") {
    World world;
    for (const std::string plugin : {"tuning", "bandwidth"}) {
        for (const std::string command : {"ADD", "CHECK", "DEL"}) {
            for (useconds_t delay = 0; delay < 2400; delay += 200) {
                CAPTURE(plugin);
                CAPTURE(command);
                CAPTURE(delay);
                const std::string c1 = world.netns("c1");
                json config = bridge_config();
                config["prevResult"] = added(config);
                json own = config;
                own["type"] = plugin;
                own.update(plugin == "tuning" ? attributes : limits);
                const Call call{.plugin = plugin, .command = command, .config = own, .netns = c1};
                Call add = call, del = call;
                add.command = "ADD", del.command = "DEL";
                if (command != "ADD")
                    REQUIRE(invoke(add).ok());
                const pid_t pid = fork();
                if (pid == 0) {
                    usleep(delay);
                    _exit(umount2(c1.c_str(), MNT_DETACH) == 0 && unlink(c1.c_str()) == 0 ? 0 : 1);
                }
                const Answer answer = invoke(call);
                waitpid(pid, nullptr, 0);
                CHECK(answer.status <= 1);
                CHECK((answer.ok() || !answer.msg().empty()));
                CHECK(invoke(del).ok());
                CHECK(bridge("DEL", config).ok());
                CHECK(sh("ip -o link show type ifb; find /run/cni -type f 2>/dev/null || true").empty());
                CHECK(eventually([] { return sh("ip -o link show type veth").empty(); }));
            }
        }
    }
}

TEST_CASE("attack: a data dir of tuning that others own or may write is told on stderr") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("ip link add eth0 type veth peer name other", c1);
    const std::string dir = "/run/cni/tuning";
    sh("mkdir -m 700 -p " + dir);
    const auto call = [](const std::string& command) { return invoke(call_of("tuning", command, attributes)); };
    CHECK(!contains(call("ADD").err, "data dir"));
    CHECK(call("DEL").ok());
    for (const std::string open : {"chmod 777 ", "chmod 1777 ", "chmod 770 ", "chown 1000 "}) {
        CAPTURE(open);
        sh("chown 0 " + dir + "; chmod 700 " + dir + "; " + open + dir);
        const Answer answer = call("ADD");
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK_MESSAGE(contains(answer.err, "warning: data dir " + dir + " "), answer.err);
        CHECK(call("DEL").ok());
    }
}
