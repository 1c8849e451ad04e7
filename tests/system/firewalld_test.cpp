// SPDX-License-Identifier: Apache-2.0
// firewall beside a real firewalld, on a message bus of our own.
#include <csignal>
#include <fstream>

#include <doctest/doctest.h>

#include "firewall_call.h"

using namespace test;

namespace {

const std::string bus_address = "unix:path=/run/bus";

constexpr const char* bus_config = R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>)";

/// A program in the background, ended with the case.
class Daemon {
  public:
    explicit Daemon(const std::string& command)
        : pid_(std::stoi(sh("exec 3>&-; timeout 120 " + command + " >>/run/daemons.log 2>&1 & echo $!"))) {}
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon() {
        kill(pid_, SIGTERM); // timeout(1) passes it on
        eventually([&] { return kill(pid_, 0) != 0; });
    }

  private:
    int pid_;
};

/// World, and a message bus in it with nobody on it.
struct Bus {
    World world;
    std::ofstream config{"/run/bus.conf"};
    Daemon daemon{(config << bus_config << std::flush, "dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile")};

    Bus() {
        REQUIRE_MESSAGE(eventually([] { return works("test -S /run/bus"); }), sh("tail -5 /run/daemons.log"));
    }
};

/// The same with firewalld on it; its folders in /etc and /var are empty ones.
struct FirewalldHost : Bus {
    std::string prepared = sh("mount -t tmpfs tmpfs /etc/firewalld; mount -t tmpfs tmpfs /var/log; "
                              "echo FirewallBackend=nftables > /etc/firewalld/firewalld.conf");
    Daemon firewalld{"env DBUS_SYSTEM_BUS_ADDRESS=" + bus_address + " firewalld --nofork --nopid"};

    FirewalldHost() {
        REQUIRE_MESSAGE(eventually([] { return works(client("--state")); }, std::chrono::seconds(20)),
                        sh("tail -5 /run/daemons.log"));
    }
    static std::string client(const std::string& words) {
        return "DBUS_SYSTEM_BUS_ADDRESS=" + bus_address + " firewall-cmd " + words;
    }
    static std::string sources(const std::string& zone = "trusted") {
        return sh(client("--zone " + zone + " --list-sources"));
    }
};

Answer call(const std::string& command, const json& config, const std::string& id = "c1") {
    const bool attachment = command != "GC" && command != "STATUS";
    return invoke({.plugin = "firewall",
                   .command = command,
                   .config = config,
                   .id = attachment ? id : "",
                   .netns = attachment ? "/run/netns/" + id : "",
                   .ifname = attachment ? "eth0" : "",
                   .extra = {{"DBUS_SYSTEM_BUS_ADDRESS", bus_address}}});
}

const json by_name = {{"backend", "firewalld"}};

} // namespace

TEST_CASE("firewalld: where it runs, addresses join its trusted zone and leave it, asked for by name or not") {
    const FirewalldHost host;
    for (const json& keys : {by_name, json::object()}) {
        CAPTURE(keys.dump());
        const json config = firewall_config(keys);
        const Answer added = call("ADD", config);
        REQUIRE_MESSAGE(added.ok(), added.out);
        CHECK(FirewalldHost::sources() == "10.9.0.2/32 fd09::2/128\n");
        CHECK_FALSE(has(sh("nft list ruleset"), "CNI-FORWARD")); // the host filters by firewalld
        CHECK(call("ADD", config).ok());                         // is there already
        CHECK(call("CHECK", config).ok());
        CHECK(call("DEL", config).ok());
        CHECK(FirewalldHost::sources() == "\n");
        CHECK(call("DEL", config).ok());
    }
}

TEST_CASE("firewalld: a container gets out through it because of its zone") {
    FirewalldHost host;
    const std::string outside = host.world.outside(), c1 = host.world.netns("c1");
    const Server server(outside, "tcp", 80, "outside");
    Network network(bridge_list());
    REQUIRE(network.add("c1").ok());
    CHECK_FALSE(ask(c1, "tcp", "192.0.2.2", 80));
    CHECK_FALSE(ask(c1, "tcp", "2001:db8::2", 80));
    REQUIRE(call("ADD", firewall_config({{"prevResult", network.results["c1 eth0"]}})).ok());
    CHECK(ask(c1, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
    CHECK(ask(c1, "tcp", "2001:db8::2", 80) == "outside 2001:db8::1");
}

TEST_CASE("firewalld: another zone, and none with backend nftables") {
    const FirewalldHost host;
    CHECK(call("ADD", firewall_config({{"firewalldZone", "internal"}})).ok());
    CHECK(FirewalldHost::sources("internal") == "10.9.0.2/32 fd09::2/128\n");
    CHECK(call("DEL", firewall_config({{"firewalldZone", "internal"}})).ok());
    CHECK(call("ADD", firewall_config({{"backend", "nftables"}})).ok());
    CHECK(FirewalldHost::sources() == "\n");
}

TEST_CASE("firewalld: CHECK notices an address that is no longer in the zone") {
    const FirewalldHost host;
    REQUIRE(call("ADD", firewall_config()).ok());
    sh(FirewalldHost::client("--reload")); // forgets what was added while it ran
    const Answer answer = call("CHECK", firewall_config());
    CHECK(answer.msg() == "10.9.0.2 is not in firewalld's zone trusted; fd09::2 is not in firewalld's zone trusted");
}

TEST_CASE("firewalld: CHECK of one that has gone keeps the Go suite's words and tells the rest on stderr") {
    const Bus bus;
    const Answer answer = call("CHECK", firewall_config(by_name));
    CHECK(answer.msg() == "failed to find the address 10.9.0.2/32 in trusted zone");
    CHECK_MESSAGE(has(answer.err, "firewalld cannot be asked about zone trusted: "), answer.err);
}

TEST_CASE("firewalld: what it refuses is told in its words, and nothing is left") {
    const FirewalldHost host;
    sh(FirewalldHost::client("--zone public --add-source fd09::2/128"));
    const Answer answer = call("ADD", firewall_config());
    CHECK_MESSAGE(has(answer.msg(), "failed to add the address fd09::2/128 to trusted zone: "), answer.out);
    CHECK_MESSAGE(has(answer.msg(), "ZONE_CONFLICT"), answer.out);
    CHECK(FirewalldHost::sources() == "\n");
    CHECK(FirewalldHost::sources("public") == "fd09::2/128\n");
    CHECK_FALSE(has(sh("nft list ruleset"), "net/c1/eth0"));
    CHECK(has(call("ADD", firewall_config({{"firewalldZone", "nowhere"}})).msg(), "INVALID_ZONE"));
}

TEST_CASE("firewalld: DEL without prevResult and GC find the addresses by their owner") {
    const FirewalldHost host;
    const json config = firewall_config(json::object(), "1.1.0");
    json bare = config;
    bare.erase("prevResult");
    REQUIRE(call("ADD", config).ok());
    CHECK(call("DEL", bare).ok());
    CHECK(FirewalldHost::sources() == "\n");
    REQUIRE(call("ADD", config).ok());
    bare["cni.dev/valid-attachments"] = json::array();
    CHECK(call("GC", bare).ok());
    CHECK(FirewalldHost::sources() == "\n");
    CHECK_FALSE(has(sh("nft list ruleset"), "net/c1/eth0"));
}

TEST_CASE("firewalld: DEL takes out of the zone what the Go suite put there, but not another container's address") {
    const FirewalldHost host;
    sh(FirewalldHost::client("--zone trusted --add-source 10.9.0.2/32 --add-source fd09::2/128"));
    CHECK(call("DEL", firewall_config()).ok());
    CHECK(FirewalldHost::sources() == "\n");
    REQUIRE(call("ADD", firewall_config(), "c2").ok());
    CHECK(call("DEL", firewall_config(), "c1").ok()); // late: the addresses have been given to c2
    CHECK(FirewalldHost::sources() == "10.9.0.2/32 fd09::2/128\n");
}

TEST_CASE("firewalld: on a bus without it the default is nftables, and asking for it by name fails") {
    const Bus bus;
    const Answer added = call("ADD", firewall_config());
    CHECK_MESSAGE(added.ok(), added.out);
    CHECK(added.err.empty());
    CHECK(has(call("ADD", firewall_config(by_name)).msg(),
              "failed to add the address 10.9.0.2/32 to trusted zone: The name org.fedoraproject.FirewallD1 was not "
              "provided by any .service files"));
    CHECK(call("DEL", firewall_config(by_name)).ok());
    CHECK_FALSE(has(sh("nft list ruleset"), "net/c1/eth0"));
}

// STATUS was content with a message bus, whoever was on it.
TEST_CASE("firewalld: STATUS misses it, or its zone, where ADD would") {
    json config = {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "firewall"}};
    const auto with = [&](const json& more = json::object()) {
        json changed = config;
        changed.update(more);
        return call("STATUS", changed);
    };
    {
        const Bus bus;
        CHECK(with().ok());
        const Answer status = with(by_name);
        CHECK(status.code() == 50);
        CHECK(status.msg() == "firewalld cannot be asked about zone trusted: The name org.fedoraproject.FirewallD1 was "
                              "not provided by any .service files; start it, name another zone, or set backend to "
                              "nftables");
    }
    const FirewalldHost host;
    CHECK(with().ok());
    CHECK(with(by_name).ok());
    const Answer status = with({{"firewalldZone", "nowhere"}});
    CHECK(status.code() == 50);
    CHECK(has(status.msg(), "firewalld cannot be asked about zone nowhere: INVALID_ZONE: nowhere; "));
    CHECK(FirewalldHost::sources() == "\n");
}

TEST_CASE("firewalld: a node without a message bus does not notice; asked for by name, it is missed") {
    World world;
    const Answer added = call("ADD", firewall_config());
    CHECK(added.ok());
    CHECK(added.err.empty());
    CHECK(call("CHECK", firewall_config()).ok());
    CHECK(call("DEL", firewall_config()).ok());
    CHECK(has(call("ADD", firewall_config(by_name)).msg(), "there is no system message bus"));
    CHECK(call("DEL", firewall_config(by_name)).ok());
    const Answer status =
        call("STATUS", {{"cniVersion", "1.1.0"}, {"name", "net"}, {"type", "firewall"}, {"backend", "firewalld"}});
    CHECK(status.code() == 50);
}

TEST_CASE("firewalld: a bus that talks nonsense, or hangs up, stops nobody who did not ask for it by name") {
    for (const std::string words :
         {"ERROR\\r\\n", "",
          "OK 1234\\r\\nl\\002\\001\\001\\377\\377\\377\\377\\001\\000\\000\\000\\000\\000\\000\\000"}) {
        CAPTURE(words);
        World world;
        const Daemon nonsense("sh -c 'printf \"" + words + "\" | nc -N -lU /run/bus'");
        REQUIRE(eventually([] { return works("test -S /run/bus"); }));
        const Answer added = call("ADD", firewall_config());
        CHECK_MESSAGE(added.ok(), added.out);
        CHECK(has(added.err, "firewalld"));
    }
}
