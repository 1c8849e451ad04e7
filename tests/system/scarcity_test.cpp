// SPDX-License-Identifier: Apache-2.0
// A host that lacks something: room on disk, a writable file system, file descriptors. A call says what it lacks and
// leaves nothing half done.
#include <doctest/doctest.h>

#include "host_local_call.h"
#include "protocol_call.h"

using namespace test;

namespace {

const std::string data = "/run/data";

json chain_config(const json& more_ipam = {{"dataDir", data}}) {
    return bridge_config(
        {{"isDefaultGateway", true}, {"ipMasq", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"}, more_ipam)}});
}

json portmap_config(const json& result) {
    return {{"cniVersion", "1.0.0"},
            {"name", "net"},
            {"type", "portmap"},
            {"snat", true},
            {"prevResult", result},
            {"runtimeConfig", {{"portMappings", {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}}}}}};
}

json chained(const std::string& type, const json& result, const json& keys) {
    json config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", type}, {"prevResult", result}};
    config.update(keys);
    return config;
}

json firewall_config(const json& result) {
    return chained("firewall", result, {{"ingressPolicy", "same-bridge"}});
}

json tuning_config(const json& result) {
    return chained("tuning", result, {{"mtu", 1400}, {"sysctl", {{"net.ipv4.conf.eth0.arp_filter", "1"}}}});
}

json bandwidth_config(const json& result) {
    return chained(
        "bandwidth", result,
        {{"ingressRate", 80000000}, {"ingressBurst", 8000000}, {"egressRate", 80000000}, {"egressBurst", 8000000}});
}

using Words = std::vector<std::string>;

Answer call(const std::string& plugin, const std::string& command, const json& config, const Words& wrapper = {}) {
    return invoke(
        {.plugin = plugin, .command = command, .config = config, .netns = "/run/netns/c1", .wrapper = wrapper});
}

/// In a mount namespace of its own, in which the tree at `path` is read-only.
Words with_read_only(const std::string& path) {
    return {"unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            "mount --bind " + path + " " + path + " && mount -o remount,ro,bind " + path + " && exec \"$0\""};
}

/// With that many descriptors at most, three of which are open.
Words with_descriptors(int most) {
    return {"sh", "-c", "ulimit -n " + std::to_string(most) + "; exec \"$0\""};
}

/// How many descriptors it takes to start at all: a program that is not static opens its libraries.
int fewest_descriptors(const std::string& plugin) {
    int fewest = 3;
    while (fewest < 64 &&
           !works("ulimit -n " + std::to_string(fewest) + "; " + bin_dir() + "/" + plugin + " --version"))
        ++fewest;
    return fewest;
}

void check_nothing_left() {
    CHECK(ports().empty());
    CHECK(leases("net").empty());
    CHECK(leases("net", data).empty());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
}

void check_told(const Answer& answer) {
    const json document = answer.document(); // one, or the case fails here
    CHECK(answer.status == 1);
    CHECK(answer.code() > 0);
    CHECK_MESSAGE(!answer.msg().empty(), answer.out);
}

} // namespace

TEST_CASE("scarcity: a full disk fails the chain's ADD with the file's name, and nothing is left") {
    World world;
    world.netns("c1");
    sh("mkdir " + data + "; mount -t tmpfs -o size=64k none " + data + "; dd if=/dev/zero of=" + data +
       "/fill 2>/dev/null; [ $? = 1 ]");
    const Answer answer = bridge("ADD", chain_config());
    check_told(answer);
    CHECK_MESSAGE(contains(answer.msg(), "no space left on device"), answer.msg());
    CHECK_MESSAGE(contains(answer.msg(), data), answer.msg());
    check_nothing_left();
    sh("rm " + data + "/fill");
    added(chain_config());
}

TEST_CASE("scarcity: DEL works on a full disk") {
    World world;
    world.netns("c1");
    sh("mkdir " + data + "; mount -t tmpfs -o size=64k none " + data);
    added(chain_config());
    sh("dd if=/dev/zero of=" + data + "/fill 2>/dev/null; [ $? = 1 ]");
    const Answer answer = bridge("DEL", chain_config());
    CHECK_MESSAGE(answer.ok(), answer.out);
    check_nothing_left();
}

TEST_CASE("scarcity: without an inode left, at each file that an ADD makes, nothing is left") {
    World world;
    world.netns("c1");
    bool worked = false;
    for (int inodes = 1; inodes < 20 && !worked; ++inodes) {
        CAPTURE(inodes);
        sh("umount " + data + " 2>/dev/null; mkdir -p " + data +
           "; mount -t tmpfs -o nr_inodes=" + std::to_string(inodes) + " none " + data);
        const Answer answer = bridge("ADD", chain_config());
        worked = answer.ok();
        if (worked)
            continue;
        CHECK_MESSAGE(contains(answer.msg(), "no space left on device"), answer.msg());
        check_nothing_left();
    }
    CHECK(worked);
}

// They wanted to make the lock, where an ADD had failed to.
TEST_CASE("scarcity: a network whose folder has neither lock nor lease is nothing to DEL and GC") {
    World world;
    sh("mkdir -p " + data_dir + "; mount -t tmpfs -o nr_inodes=3 none " + data_dir); // itself, one, and the folder
    sh("touch " + data_dir + "/other");
    json config = small_pool();
    config["cniVersion"] = "1.1.0";
    CHECK(contains(hl("ADD", config).msg(), "lock: no space left on device"));
    const Answer removed = hl("DEL", config);
    CHECK_MESSAGE(removed.ok(), removed.out);
    config["cni.dev/valid-attachments"] = json::array();
    Call collect = hl_call("GC", config, "", "");
    collect.netns = "";
    const Answer collected = invoke(collect);
    CHECK_MESSAGE(collected.ok(), collected.out);

    sh("mount -o remount,nr_inodes=100 " + data_dir);
    CHECK(hl("DEL", config).ok());
    CHECK(invoke(collect).ok());
    CHECK(sh("find " + net_dir) == net_dir + "\n");

    sh("printf 'c1\\r\\neth0' > " + net_dir + "/10.9.0.5"); // a lease counts without a lock
    CHECK(hl("DEL", config).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("scarcity: a read-only data dir is told by ADD and DEL, and what can be done is done") {
    World world;
    world.netns("c1");
    sh("mkdir " + data + "; mount -t tmpfs none " + data);
    const json result = added(chain_config());
    sh("mount -o remount,ro " + data);
    const Answer del = bridge("DEL", chain_config());
    CHECK_MESSAGE(contains(del.msg(), "read-only file system"), del.out);
    CHECK(ports().empty());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
    world.netns("c2");
    const Answer add = bridge("ADD", chain_config(), "c2");
    CHECK_MESSAGE(contains(add.msg(), "read-only file system"), add.out);
    CHECK(ports().empty());
    sh("mount -o remount,rw " + data);
    CHECK(bridge("DEL", chain_config()).ok());
    check_nothing_left();
}

TEST_CASE("scarcity: a read-only root file system makes no difference") {
    World world;
    const std::string c1 = world.netns("c1");
    const Words wrapper = {"unshare",
                           "--mount",
                           "--propagation",
                           "private",
                           "sh",
                           "-c",
                           "mount -o remount,ro,bind / && ! touch /x 2>/dev/null && exec \"$0\""};
    const json config = chain_config(json::object());
    const Answer add = call("bridge", "ADD", config, wrapper);
    REQUIRE_MESSAGE(add.ok(), add.out);
    const json ports_config = portmap_config(add.document());
    CHECK(call("portmap", "ADD", ports_config, wrapper).ok());
    CHECK(works("ping -c1 -W2 10.9.0.1", c1));
    for (const std::string command : {"ADD", "CHECK", "DEL"}) {
        for (const json& one :
             {firewall_config(add.document()), tuning_config(add.document()), bandwidth_config(add.document())}) {
            const Answer answer = call(one["type"], command, one, wrapper);
            CHECK_MESSAGE(answer.ok(), answer.out);
        }
    }
    CHECK(call("portmap", "DEL", ports_config, wrapper).ok());
    CHECK(call("bridge", "DEL", config, wrapper).ok());
    check_nothing_left();
}

TEST_CASE("scarcity: a read-only /proc/sys fails an ADD that needs forwarding, and nothing is left") {
    World world;
    world.netns("c1");
    sh("echo 0 > /proc/sys/net/ipv4/ip_forward");
    const json config = chain_config(json::object());
    const Answer answer = call("bridge", "ADD", config, with_read_only("/proc/sys"));
    check_told(answer);
    CHECK_MESSAGE(contains(answer.msg(), "read-only file system"), answer.msg());
    check_nothing_left();
}

TEST_CASE("scarcity: a read-only /proc/sys is no matter where everything is as it has to be") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    const json config = chain_config(json::object());
    const Answer answer = call("bridge", "ADD", config, with_read_only("/proc/sys"));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(works("ping -c1 -W2 10.9.0.1", c1));
    const Answer mapped = call("portmap", "ADD", portmap_config(answer.document()), with_read_only("/proc/sys"));
    CHECK_MESSAGE(contains(mapped.msg(), "unable to enable route_localnet"), mapped.out);
    CHECK(!contains(sh("nft list ruleset"), "8080"));
    json tuned = tuning_config(answer.document());
    const std::string before = sh("ip -o link show", c1);
    check_told(call("tuning", "ADD", tuned, with_read_only("/proc/sys")));
    CHECK(sh("ip -o link show", c1) == before);
    tuned.erase("sysctl");
    for (const std::string command : {"ADD", "CHECK", "DEL"}) {
        for (const json& one : {firewall_config(answer.document()), tuned, bandwidth_config(answer.document())}) {
            const Answer chained = call(one["type"], command, one, with_read_only("/proc/sys"));
            CHECK_MESSAGE(chained.ok(), chained.out);
        }
    }
    CHECK(call("bridge", "DEL", config, with_read_only("/proc/sys")).ok());
    check_nothing_left();
}

// It went on without a word, and a container could give the host a default route.
TEST_CASE("scarcity: a read-only /proc/sys fails an ADD whose bridge would listen to router advertisements") {
    World world;
    world.netns("c1");
    sh("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding");
    json config = chain_config(json::object());
    config["ipam"] = ipam({"10.9.0.0/24"});
    const Answer answer = call("bridge", "ADD", config, with_read_only("/proc/sys"));
    check_told(answer);
    CHECK_MESSAGE(contains(answer.msg(), "router advertisements of containers cannot be kept off"), answer.msg());
    CHECK_MESSAGE(contains(answer.msg(), "set net.ipv6.conf.default.accept_ra=0"), answer.msg());
    check_nothing_left();
    sh("ip link del br0; echo 0 > /proc/sys/net/ipv6/conf/default/accept_ra");
    const Answer advised = call("bridge", "ADD", config, with_read_only("/proc/sys"));
    CHECK_MESSAGE(advised.ok(), advised.out);
    CHECK_MESSAGE(contains(advised.err, "/proc/sys/net/ipv4/conf/eth0/arp_notify could not be set to 1"), advised.err);
}

TEST_CASE("scarcity: too few file descriptors fail a call with an answer, whatever their number") {
    World world;
    world.netns("c1");
    const json config = chain_config(json::object());
    const auto sweep = [&](const std::string& plugin, const std::string& command, const json& sent,
                           const std::function<void()>& after_failure) {
        CAPTURE(plugin);
        CAPTURE(command);
        for (int most = fewest_descriptors(plugin); most < 64; ++most) {
            CAPTURE(most);
            const Answer answer = call(plugin, command, sent, with_descriptors(most));
            if (answer.ok())
                return answer;
            check_told(answer);
            after_failure();
        }
        FAIL("63 descriptors are not enough");
        return Answer();
    };
    const auto nothing = [] {};
    const json result = sweep("bridge", "ADD", config, check_nothing_left).document();
    json attached = config;
    attached["prevResult"] = result;
    const json ports_config = portmap_config(result);
    sweep("portmap", "ADD", ports_config, [] { CHECK(!contains(sh("nft list ruleset"), "8080")); });
    sh("iptables -P FORWARD DROP");
    const json firewall = firewall_config(result), tuning = tuning_config(result), bandwidth = bandwidth_config(result);
    sweep("firewall", "ADD", firewall,
          [] { CHECK(!contains(sh("nft list set inet cnative accepted4 || true"), "net/c1")); });
    sweep("tuning", "ADD", tuning, [] {
        CHECK(
            contains(sh("ip link show eth0; cat /proc/sys/net/ipv4/conf/eth0/arp_filter", "/run/netns/c1"), " 1500 "));
        CHECK(!works("test -e /run/cni/tuning/c1_eth0.json"));
    });
    sweep("bandwidth", "ADD", bandwidth, [] {
        CHECK(sh("ip -o link show type ifb").empty());
        CHECK(!contains(sh("tc qdisc show"), "tbf"));
    });
    sweep("bridge", "CHECK", attached, nothing);
    for (const json& one : {ports_config, firewall, tuning, bandwidth})
        sweep(one["type"], "CHECK", one, nothing);
    for (const json& one : {ports_config, firewall, tuning, bandwidth})
        sweep(one["type"], "DEL", one, nothing);
    CHECK(contains(sh("ip link show eth0", "/run/netns/c1"), " 1500 "));
    sweep("bridge", "DEL", attached, nothing);
    check_nothing_left();
    CHECK(!contains(sh("nft list ruleset; ip -o link show type ifb; find /run/cni -type f"), "c1"));
}
