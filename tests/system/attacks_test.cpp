// SPDX-License-Identifier: Apache-2.0
// Input and neighbours that mean harm; docs/threat-model.md says which attack is tried where.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <fstream>

#include "protocol_call.h"

using namespace test;

namespace {

// Root in a container makes itself a router for everybody on its link.
void advertise_itself(const std::string& netns) {
    const pid_t pid = fork();
    if (pid == 0) {
        const int fd = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
        if (setns(fd, CLONE_NEWNET) != 0)
            _exit(1);
        const int socket = ::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
        const int hops = 255;
        setsockopt(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
        nd_router_advert advert{};
        advert.nd_ra_type = ND_ROUTER_ADVERT;
        advert.nd_ra_router_lifetime = htons(1800);
        sockaddr_in6 all_nodes{};
        all_nodes.sin6_family = AF_INET6;
        all_nodes.sin6_scope_id = if_nametoindex("eth0");
        inet_pton(AF_INET6, "ff02::1", &all_nodes.sin6_addr);
        const auto* to = reinterpret_cast<const sockaddr*>(&all_nodes);
        _exit(sendto(socket, &advert, sizeof advert, 0, to, sizeof all_nodes) == sizeof advert ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
}

} // namespace

TEST_CASE("attack: a container that advertises itself as a router changes no route of the host") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config({{"isDefaultGateway", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}}));
    // Without forwarding the kernel would believe anybody: the switches of ADD are what is tried.
    sh("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding");
    const std::string before = sh("ip -6 route");
    for (int i = 0; i < 3; ++i)
        advertise_itself(c1);
    CHECK_FALSE(eventually([&] { return sh("ip -6 route") != before; }, std::chrono::milliseconds(500)));
    sh("echo 1 > /proc/sys/net/ipv6/conf/br0/accept_ra"); // and had they not been set:
    advertise_itself(c1);
    CHECK(eventually([&] { return sh("ip -6 route") != before; }));
}

TEST_CASE("attack: a plugin type that leads out of CNI_PATH is refused, and nothing outside is run") {
    World world;
    world.netns("c1");
    std::ofstream("/run/evil") << "#!/bin/sh\ntouch /run/ran\n";
    sh("chmod +x /run/evil; mkdir /run/path");
    for (const std::string type : {"../evil", "/run/evil", "..", ".", "x/../evil", ""}) {
        CAPTURE(type);
        for (const std::string command : {"ADD", "DEL"}) {
            const Answer answer = invoke({.plugin = "bridge",
                                          .command = command,
                                          .config = bridge_config({{"ipam", {{"type", type}}}}),
                                          .netns = "/run/netns/c1",
                                          .path = "/run/path"});
            if (!type.empty() && command == "ADD")
                CHECK(answer.status == 1);
            CHECK(access("/run/ran", F_OK) != 0);
        }
    }
    CHECK(ports().empty());
}

TEST_CASE("attack: a prevResult that names interfaces of others takes nothing from them") {
    World world;
    world.outside();
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2");
    const json theirs = added(bridge_config(), "c2");
    const std::string before = sh("ip -o link show | sed 's/^[0-9]*: //' | sort");
    json hostile = theirs;
    hostile["interfaces"][2] = {{"name", "uplink"}, {"mac", "00:00:00:00:00:00"}, {"sandbox", c2}};
    hostile["ips"][0]["address"] = "192.0.2.1/24";
    for (const std::string command : {"CHECK", "DEL"})
        (void)bridge(command, bridge_config(), "c1", hostile);
    (void)invoke({.plugin = "bridge",
                  .command = "DEL",
                  .config = bridge_config({{"prevResult", theirs}}),
                  .netns = c1,
                  .ifname = "uplink"});
    CHECK(sh("ip -o link show | sed 's/^[0-9]*: //' | sort") == before);
    CHECK(leases("net") == std::vector<std::string>{"10.9.0.2"});
    CHECK(works("ping -c1 -W2 10.9.0.1", c2));
}

TEST_CASE("attack: a namespace path that is a FIFO, a device or a file is told at once") {
    World world;
    sh("mkfifo /run/netns/fifo; touch /run/netns/file; mkdir /run/netns/folder");
    for (const std::string path : {"/run/netns/fifo", "/run/netns/file", "/run/netns/folder", "/dev/zero", "/dev/tty",
                                   "/proc/self/ns/mnt", "/proc/self/mem", "/proc/1/environ"}) {
        CAPTURE(path);
        for (const std::string plugin : {"bridge", "loopback", "tuning", "bandwidth"}) {
            CAPTURE(plugin);
            Call call = call_of(plugin, "ADD", {{"mtu", 1400}, {"ingressRate", 8000}, {"ingressBurst", 8000}});
            call.netns = path;
            call.wrapper = {"timeout", "10"};
            const Answer answer = invoke(call);
            CHECK(answer.status == 1);
            CHECK(answer.code() != 0);
            call.command = "DEL";
            CHECK(invoke(call).status <= 1);
        }
    }
    CHECK(ports().empty());
    CHECK(leases("net").empty());
}

TEST_CASE("attack: names in CNI_ARGS, identifiers and interface names stay names") {
    World world;
    world.netns("c1");
    for (const std::string bad : {"../../etc", "a/b", "/abs", "a\nb", "..", "a b", "\x1b[31m"}) {
        CAPTURE(bad);
        for (const std::string& plugin : all_plugins) {
            CAPTURE(plugin);
            const Call call = call_of(plugin);
            Call by_id = call, by_ifname = call, by_name = call;
            by_id.id = bad;
            by_ifname.ifname = bad;
            by_name.config["name"] = bad;
            for (const Call& one : {by_id, by_ifname, by_name}) {
                const Answer answer = invoke(one);
                CHECK_MESSAGE(answer.status == 1, answer.out);
                CHECK(answer.document().is_object());
            }
        }
    }
    for (const std::string args : {"IP=10.9.0.9/../..", "MAC=02:00:00:00:00:01;IP=\x01", "K8S_POD_NAME=../..;=;;",
                                   "IgnoreUnknown=1;IgnoreUnknown=../x"}) {
        CAPTURE(args);
        const Answer answer =
            invoke({.plugin = "bridge", .config = bridge_config(), .netns = "/run/netns/c1", .args = args});
        CHECK(answer.status == 1);
        CHECK(answer.document().is_object());
    }
    CHECK(ports().empty());
    CHECK(leases("net").empty());
    CHECK(sh("find /var/lib/cni -mindepth 1 -maxdepth 2 ! -path '*/networks' ! -path '*/networks/net' "
             "! -path '*/networks/.cnative'; find /run -name '*_*.json'") == "");
}

TEST_CASE("attack: ten megabytes and a million brackets are refused in one valid answer") {
    World world;
    world.netns("c1");
    for (const std::string& raw : {std::string(10'000'000, ' ') + "{}", std::string(1'000'000, '['),
                                   R"({"cniVersion":"1.0.0","name":"net","x":)" + std::string(1'000'000, '{') + "}",
                                   std::string(10'000'000, 'x')}) {
        for (const std::string& plugin : all_plugins) {
            CAPTURE(plugin);
            const Answer answer = invoke({.plugin = plugin, .netns = "/run/netns/c1", .raw = raw});
            CHECK(answer.status == 1);
            CHECK(answer.code() == 6);
        }
    }
}

TEST_CASE("attack: umask, closed and leaked descriptors of the caller make no difference") {
    World world;
    world.netns("c1");
    std::ofstream("/run/config") << bridge_config().dump();
    std::ofstream("/run/tuning.json") << config_of("tuning", {{"mtu", 1400}}).dump();
    const std::string call = "CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=" + bin_dir() + " ";
    for (const std::string before : {"umask 0", "umask 0777", "exec 2>&-", "exec 9</etc/passwd", "ulimit -n 24"}) {
        CAPTURE(before);
        sh(before + "; CNI_COMMAND=ADD " + call + bin_dir() + "/bridge </run/config >/run/out");
        const std::string folder = before == "umask 0777" ? "700\n" : "755\n";
        CHECK(sh("stat -c %a /var/lib/cni/networks/net /var/lib/cni/networks/net/10.9.0.*") == folder + "600\n");
        sh(before + "; CNI_COMMAND=ADD " + call + bin_dir() + "/tuning </run/tuning.json >/run/out");
        CHECK(sh("stat -c %a /run/cni/tuning /run/cni/tuning/c1_eth0.json") == "700\n600\n");
        sh(before + "; CNI_COMMAND=DEL " + call + bin_dir() + "/tuning </run/tuning.json; rm -r /run/cni");
        sh(before + "; CNI_COMMAND=DEL " + call + bin_dir() + "/bridge </run/config");
        sh("rm -rf /var/lib/cni/networks");
    }
}
