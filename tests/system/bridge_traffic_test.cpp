// SPDX-License-Identifier: Apache-2.0
// bridge: what only traffic, and what the kernel does meanwhile, can show.
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fstream>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge_call.h"

using namespace test;

namespace {

const json masquerading = {{"isDefaultGateway", true}, {"ipMasq", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}};

// A router on the other end of the uplink advertises itself, once.
void advertise_router(const std::string& netns, const std::string& interface) {
    const pid_t pid = fork();
    if (pid == 0) {
        const int fd = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
        setns(fd, CLONE_NEWNET);
        const int socket = ::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
        const int hops = 255;
        setsockopt(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
        nd_router_advert advert{};
        advert.nd_ra_type = ND_ROUTER_ADVERT;
        advert.nd_ra_router_lifetime = htons(1800);
        sockaddr_in6 all_nodes{};
        all_nodes.sin6_family = AF_INET6;
        all_nodes.sin6_scope_id = if_nametoindex(interface.c_str());
        inet_pton(AF_INET6, "ff02::1", &all_nodes.sin6_addr);
        const auto sent =
            sendto(socket, &advert, sizeof advert, 0, reinterpret_cast<sockaddr*>(&all_nodes), sizeof all_nodes);
        _exit(sent == sizeof advert ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
}

// Whether this answer comes. Patient: the Go suite's IPv6 addresses are not usable at once.
bool asked(const std::string& netns, const std::string& address, const std::string& answer) {
    return eventually([&] { return ask(netns, "tcp", address, 80) == answer; });
}

std::string packets(const std::string& netns, const std::string& comment) {
    return sh("nft list table inet count | grep " + comment + " | grep -o 'packets [0-9]*'", netns);
}

json at_address(const std::string& id, const std::string& address, const std::string& address6) {
    json config = bridge_config({{"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}});
    config["args"] = {{"cni", {{"ips", {address, address6}}}}};
    return added(config, id);
}

} // namespace

// ---- masquerade

TEST_CASE("bridge: ipMasq makes the outside see the host's address, both families") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    added(bridge_config(masquerading));
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c1, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
    CHECK(asked(c1, "2001:db8::2", "outside 2001:db8::1"));
}

TEST_CASE("bridge: without ipMasq the outside sees the container's address") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    json config = bridge_config(masquerading);
    config["ipMasq"] = false;
    added(config);
    sh("ip route add 10.9.0.0/24 via 192.0.2.1; ip route add fd09::/64 via 2001:db8::1", outside);
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c1, "tcp", "192.0.2.2", 80) == "outside 10.9.0.2");
    CHECK(asked(c1, "2001:db8::2", "outside fd09::2"));
}

TEST_CASE("bridge: inside its own subnet a container keeps its address, even when routed") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    added(bridge_config(masquerading));
    // An address of the subnet that lives behind the uplink.
    sh("ip addr add 10.9.0.200/32 dev lo; ip route add 10.9.0.2 via 192.0.2.1", outside);
    sh("ip addr add fd09::200/128 dev lo; ip route add fd09::2 via 2001:db8::1", outside);
    sh("ip route add 10.9.0.200 via 192.0.2.2; ip route add fd09::200 via 2001:db8::2");
    sh("ip route add 10.9.0.200 via 10.9.0.1; ip route add fd09::200 via fd09::1", c1);
    const Server server(outside, "tcp", 80, "inside");
    CHECK(ask(c1, "tcp", "10.9.0.200", 80) == "inside 10.9.0.2");
    CHECK(asked(c1, "fd09::200", "inside fd09::2"));
}

TEST_CASE("bridge: multicast is not masqueraded") {
    World world;
    const std::string outside = world.outside();
    world.netns("c1");
    added(bridge_config(masquerading));
    sh("nft 'table inet count { chain in { type filter hook prerouting priority -300; ip saddr 10.9.0.2 ip daddr "
       "239.1.2.3 counter comment \"four\"; ip6 saddr fd09::2 ip6 daddr ff15::1 counter comment \"six\"; }; }'",
       outside);
    // The host plays the container: the same source address, the same hook.
    sh("ip addr add 10.9.0.2/32 dev uplink; ip addr add fd09::2/128 dev uplink nodad; ip route add 239.0.0.0/8 dev "
       "uplink");
    sh("ping -c1 -W0.1 -I 10.9.0.2 239.1.2.3 || true; ping -6 -c1 -W0.1 -I uplink -I fd09::2 ff15::1 || true");
    CHECK(packets(outside, "four") == "packets 1\n");
    CHECK(packets(outside, "six") == "packets 1\n");
}

TEST_CASE("bridge: ipMasqBackend takes any value, and iptables is answered with a warning") {
    for (const std::string backend : {"nftables", "iptables", "nonsense"}) {
        World world;
        const std::string outside = world.outside(), c1 = world.netns("c1");
        json config = bridge_config(masquerading);
        config["ipMasqBackend"] = backend;
        const Answer answer = bridge("ADD", config);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(contains(answer.err, "ipMasqBackend \"iptables\" is done with nftables") == (backend == "iptables"));
        const Server server(outside, "tcp", 80, "outside");
        CHECK(ask(c1, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
    }
}

TEST_CASE("bridge: DEL of one interface leaves the masquerading of the container's other interface") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    Network network(bridge_list());
    REQUIRE(network.add("c1").ok());
    REQUIRE(network.add("c1", {}, {}, "eth1").ok());
    REQUIRE(network.del("c1", {}, {}, "eth1").ok());
    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c1, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
}

// ---- ports

TEST_CASE("bridge: macspoofchk drops frames of another source MAC and passes the right one") {
    World world;
    const std::string c1 = world.netns("c1");
    const json result = added(bridge_config({{"macspoofchk", true}}));
    const std::string mac = result["interfaces"][2]["mac"];
    CHECK(works("ping -c1 -W1 10.9.0.1", c1));
    sh("ip link set eth0 address 02:00:00:00:00:99", c1);
    CHECK(!works("ping -c1 -W1 10.9.0.1", c1));
    sh("ip link set eth0 address " + mac, c1);
    CHECK(works("ping -c1 -W1 10.9.0.1", c1));
}

TEST_CASE("bridge: without macspoofchk a container may change its MAC") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config());
    sh("ip link set eth0 address 02:00:00:00:00:99", c1);
    CHECK(works("ping -c1 -W2 10.9.0.1", c1));
}

TEST_CASE("bridge: macspoofchk guards one container and leaves the others alone") {
    World world;
    world.netns("c1");
    const std::string c2 = world.netns("c2");
    added(bridge_config({{"macspoofchk", true}}));
    added(bridge_config(), "c2");
    sh("ip link set eth0 address 02:00:00:00:00:99", c2);
    CHECK(works("ping -c1 -W2 10.9.0.1", c2));
}

TEST_CASE("bridge: macspoofchk works without addresses too") {
    World world;
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2");
    added(layer2_config({{"macspoofchk", true}}));
    added(layer2_config(), "c2");
    sh("ip addr add 10.9.0.2/24 dev eth0", c1);
    sh("ip addr add 10.9.0.3/24 dev eth0", c2);
    CHECK(works("ping -c1 -W1 10.9.0.3", c1));
    sh("ip link set eth0 address 02:00:00:00:00:99", c1);
    CHECK(!works("ping -c1 -W1 10.9.0.3", c1));
}

TEST_CASE("bridge: isolated ports reach the gateway but not each other") {
    World world;
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2"), c3 = world.netns("c3");
    added(bridge_config({{"portIsolation", true}}), "c1");
    added(bridge_config({{"portIsolation", true}}), "c2");
    added(bridge_config(), "c3");
    CHECK(works("ping -c1 -W1 10.9.0.1", c1));
    CHECK(works("ping -c1 -W1 10.9.0.4", c1));
    CHECK(!works("ping -c1 -W1 10.9.0.3", c1));
}

TEST_CASE("bridge: containers on layer 2 reach each other") {
    World world;
    const std::string c1 = world.netns("c1"), c2 = world.netns("c2");
    added(layer2_config(), "c1");
    added(layer2_config(), "c2");
    sh("ip addr add 10.9.0.2/24 dev eth0", c1);
    sh("ip addr add 10.9.0.3/24 dev eth0", c2);
    CHECK(works("ping -c1 -W1 10.9.0.3", c1));
}

// ---- neighbours and routes

TEST_CASE("bridge: a re-used address answers the host and a neighbour at once") {
    World world;
    world.netns("c1");
    world.netns("c2");
    const std::string neighbour = world.netns("c3");
    at_address("c3", "10.9.0.9", "fd09::9");
    at_address("c1", "10.9.0.5", "fd09::5");
    for (const std::string address : {"10.9.0.5", "fd09::5"}) {
        REQUIRE(eventually([&] { return works("ping -c1 -W1 " + address, neighbour); }));
        REQUIRE(eventually([&] { return works("ping -c1 -W1 " + address); }));
    }
    REQUIRE(bridge("DEL", bridge_config()).ok());
    at_address("c2", "10.9.0.5", "fd09::5");
    for (const std::string address : {"10.9.0.5", "fd09::5"}) {
        CHECK(works("ping -c1 -W1 " + address, neighbour));
        CHECK(works("ping -c1 -W1 " + address));
    }
}

TEST_CASE("bridge: a router-advertised default route of the uplink survives forwarding being switched on") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1");
    sh("echo 1 > /proc/sys/net/ipv6/conf/uplink/accept_ra");
    const auto has_route = [] { return contains(sh("ip -6 route show default"), " proto ra "); };
    REQUIRE(eventually([&] {
        advertise_router(outside, "up0");
        return has_route();
    }));
    added(bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    CHECK(sysctl("ipv6/conf/all/forwarding") == "1");
    CHECK(sysctl("ipv6/conf/uplink/accept_ra") == "2");
    CHECK(has_route());
}

TEST_CASE("bridge: an uplink without an advertised route keeps its accept_ra") {
    World world;
    world.outside();
    world.netns("c1");
    sh("echo 1 > /proc/sys/net/ipv6/conf/uplink/accept_ra");
    added(bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    CHECK(sysctl("ipv6/conf/uplink/accept_ra") == "1");
}

// ---- processes

TEST_CASE("bridge: runs no program but the IPAM plugin and moves no link") {
    World world;
    world.netns("c1");
    json config = bridge_config(masquerading);
    config["macspoofchk"] = true;
    for (const std::string command : {"ADD", "DEL"}) {
        const Answer answer = invoke({.plugin = "bridge",
                                      .command = command,
                                      .config = config,
                                      .netns = "/run/netns/c1",
                                      .wrapper = {"strace", "-f", "-v", "-s", "4096", "-o", "/run/trace", "-e",
                                                  "trace=execve,execveat,sendto,sendmsg"}});
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(sh("grep -o 'exec[a-z]*(\"[^\"]*' /run/trace | sed 's|.*/||' | sort | tr '\\n' ' '") ==
              "bridge host-local ");
        // A new link may be born elsewhere; one that exists may not be sent there.
        CHECK(sh("grep RTM_NEWLINK /run/trace | grep IFLA_NET_NS | grep -vc NLM_F_CREATE || true") == "0\n");
    }
}

// Links come and go in thirty other namespaces, which keeps the kernel's link watch busy.
struct Churn {
    Churn() {
        sh("for h in $(seq 30); do ip netns add h$h; (for i in $(seq 500); do [ -e /run/enough ] && break; "
           "ip -n h$h link add x type veth peer name y; ip -n h$h link del x; done >/dev/null 2>&1) & done");
    }
    Churn(const Churn&) = delete;
    Churn& operator=(const Churn&) = delete;
    ~Churn() { std::ofstream("/run/enough") << "yes"; }
};

// A bridge without carrier drops what the host sends; it gets one from its first port, some time after. ADD waited for
// that too short on a busy host, and not at all when the last port had only just gone.
TEST_CASE("bridge: the first container's first packets are answered on a busy host") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("mkdir /run/sys && mount -t sysfs sysfs /run/sys");
    const Churn churn;
    for (int round = 0; round < 10; ++round) {
        added(bridge_config());
        CHECK(sh("cat /run/sys/class/net/br0/operstate") == "up\n");
        CHECK(works("ping -c1 -W1 10.9.0.1", c1));
        REQUIRE(invoke({.plugin = "bridge", .command = "DEL", .config = bridge_config(), .netns = c1}).ok());
        if (round % 2 == 0)
            sh("ip link del br0");
    }
}

TEST_CASE("bridge: forty ADDs at once on a new bridge all succeed with different addresses") {
    World world;
    std::ofstream("/run/config") << bridge_config(masquerading).dump();
    for (int i = 0; i < 40; ++i)
        world.netns("p" + std::to_string(i));
    const auto all_at_once = [](const std::string& command) {
        return sh("export CNI_COMMAND=" + command + " CNI_IFNAME=eth0 CNI_PATH=" + bin_dir() +
                  "; for i in $(seq 0 39); do (CNI_CONTAINERID=p$i CNI_NETNS=/run/netns/p$i " + bin_dir() +
                  "/bridge < /run/config > /run/out.$i 2>&1 || { echo p$i; cat /run/out.$i; }) & done; wait");
    };
    CHECK(all_at_once("ADD") == "");
    CHECK(leases("net").size() == 80);
    std::string addresses;
    for (int i = 0; i < 40; ++i)
        addresses += sh("ip -o addr show dev eth0 scope global", "/run/netns/p" + std::to_string(i));
    std::ofstream("/run/addresses") << addresses;
    CHECK(sh("grep -o 'inet6\\? [^ ]*' /run/addresses | sort -u | wc -l") == "80\n");
    CHECK(all_at_once("DEL") == "");
    CHECK(leases("net").empty());
    CHECK(ports().empty());
    CHECK(!contains(sh("nft list ruleset"), "net/p"));
}
