// SPDX-License-Identifier: Apache-2.0
// bridge ADD that is refused or fails: the words, and what is left.
#include <doctest/doctest.h>

#include <fstream>

#include "bridge_call.h"

using namespace test;

// preserveDefaultVlan was refused as well, which stopped networks that have no VLAN and write it all the same.
TEST_CASE("bridge: preserveDefaultVlan without a VLAN is of no consequence") {
    World world;
    world.netns("c1");
    for (const bool preserve : {true, false}) {
        const json config = bridge_config({{"preserveDefaultVlan", preserve}});
        const Answer answer = bridge("ADD", config);
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(bridge("DEL", config).ok());
    }
}

// Bytes above 0x7f were taken for control bytes, where char is signed.
TEST_CASE("bridge: a bridge may have a name in any script") {
    World world;
    world.netns("c1");
    const Answer answer = bridge("ADD", bridge_config({{"bridge", "pont-\u00e9t\u00e9"}}));
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.document()["interfaces"][0]["name"] == "pont-\u00e9t\u00e9");
}

TEST_CASE("bridge: a VLAN ID out of range is refused in the Go suite's words") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"vlan", 5000}}), 999, "invalid VLAN ID 5000 (must be between 0 and 4094)");
}

TEST_CASE("bridge: an empty bridge name is refused") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"bridge", ""}}), 999,
                  R"(failed to create bridge "": could not add "": LinkAttrs.Name cannot be empty)");
}

TEST_CASE("bridge: a bridge name of more than 15 bytes is refused") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"bridge", "abcdefghijklmnop"}}), 999,
                  R"(failed to create bridge "abcdefghijklmnop": could not add "abcdefghijklmnop": )"
                  "numerical result out of range");
}

TEST_CASE("bridge: a link of the bridge's name that is no bridge is refused") {
    World world;
    world.netns("c1");
    sh("ip link add br0 type veth");
    const Answer answer = bridge("ADD", bridge_config());
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == R"(failed to create bridge "br0": "br0" already exists but is not a bridge)");
}

TEST_CASE("bridge: a second ADD of the same interface is refused and harms nothing") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config());
    const Answer answer = bridge("ADD", bridge_config());
    CHECK(answer.code() == 999);
    CHECK(answer.msg().starts_with(R"(container veth name ("eth0") peer provided ("veth)"));
    CHECK(answer.msg().ends_with(R"(") already exists)"));
    CHECK(leases("net") == std::vector<std::string>{"10.9.0.2"});
    CHECK(works("ping -c1 -W1 10.9.0.1", c1));
}

// Whatever went wrong while the veth pair in the way was looked at came out as a full bridge.
TEST_CASE("bridge: a second ADD that loses an answer of the kernel does not call the bridge full") {
    World world;
    const std::string c1 = world.netns("c1");
    added(bridge_config());
    for (int lost = 1; sh("grep -c INJECTED /run/trace 2>/dev/null || true") != "0\n"; ++lost) {
        CAPTURE(lost);
        const Answer answer = invoke({.plugin = "bridge",
                                      .config = bridge_config(),
                                      .netns = c1,
                                      .wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "trace=recvfrom", "-e",
                                                  "inject=recvfrom:error=EAGAIN:when=" + std::to_string(lost)}});
        REQUIRE(!answer.ok());
        CHECK_MESSAGE(!contains(answer.msg(), "full"), answer.msg());
        REQUIRE(works("ip link show eth0", c1));
    }
}

TEST_CASE("bridge: an interface of that name that is not ours is refused and stays") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("ip link add eth0 type bridge", c1);
    const Answer answer = bridge("ADD", bridge_config());
    CHECK(answer.msg().starts_with(R"(container veth name ("eth0") peer provided ("veth)"));
    CHECK(works("ip link show eth0 type bridge", c1));
    CHECK(leases("net").empty());
}

TEST_CASE("bridge: a namespace that is missing is refused") {
    World world;
    const Answer answer = bridge("ADD", bridge_config());
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == R"(failed to open netns "/run/netns/c1": failed to Statfs "/run/netns/c1": )"
                          "no such file or directory");
}

TEST_CASE("bridge: an IPAM plugin that is not there is named") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"ipam", {{"type", "nope"}}}}), 999,
                  "failed to find plugin \"nope\" in path [" + bin_dir() + "]");
}

TEST_CASE("bridge: an IPAM plugin's error comes through with its code, and nothing is left") {
    World world;
    world.netns("c1");
    check_refused(bridge_config({{"ipam", {{"type", "host-local"}, {"ranges", json::array()}}}}), 999,
                  "no IP ranges specified");
}

// A signal was told by its number.
TEST_CASE("bridge: an IPAM plugin that ends without an answer is told in the Go suite's words") {
    World world;
    const std::string c1 = world.netns("c1");
    for (const auto& [end, how] : {std::pair<std::string, std::string>("exit 3", "exit status 3"),
                                   {"kill -KILL $$", "signal: killed"},
                                   {"kill -TERM $$", "signal: terminated"}}) {
        CAPTURE(end);
        sh("mkdir -p /run/plugins; cat >/run/plugins/silent <<'X'\n#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\n" +
           end + "\nX\nchmod +x /run/plugins/silent");
        const Answer answer = invoke({.plugin = "bridge",
                                      .config = bridge_config({{"ipam", {{"type", "silent"}}}}),
                                      .netns = c1,
                                      .path = "/run/plugins"});
        CHECK(answer.msg() == "netplugin failed with no error message: " + how);
        bridge("DEL", layer2_config());
    }
}

// "invalid argument" was all that was said.
TEST_CASE("bridge: IPv6 on an MTU below 1280, where the kernel has none, is refused in the Go suite's words") {
    World world;
    world.netns("c1");
    const Answer answer = bridge("ADD", bridge_config({{"mtu", 1279}, {"ipam", ipam({"fd09::/64"})}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == R"(failed to enable keep_addr_on_down for interface "eth0": )"
                          "open /proc/sys/net/ipv6/conf/eth0/keep_addr_on_down: no such file or directory");
}

// The kernel's words stood behind the Go suite's: "permission denied: ipv6: IPv6 is disabled on this device".
TEST_CASE("bridge: an IPv6 gateway on a bridge that has no IPv6 is refused in the Go suite's words") {
    World world;
    world.netns("c1");
    sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
    const Answer answer = bridge("ADD", bridge_config({{"ipam", ipam({"fd09::/64"})}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() ==
          R"(failed to set bridge addr: could not add IP address fd09::1/64 to "br0": permission denied)");
}

TEST_CASE("bridge: an exhausted range fails the ADD and leaves the others alone") {
    World world;
    world.netns("c1");
    world.netns("c2");
    const std::string c1 = world.netns("c1");
    const json config = bridge_config({{"ipam", ipam({"10.9.0.0/30"})}});
    added(config);
    const std::string before = ports();
    const Answer answer = bridge("ADD", config, "c2");
    CHECK(answer.code() == 999);
    CHECK(contains(answer.msg(), "no IP addresses available in range set: 10.9.0.1-10.9.0.2"));
    CHECK(ports() == before);
    CHECK(works("ping -c1 -W1 10.9.0.1", c1));
}

TEST_CASE("bridge: a failure after the lease gives it back") {
    World world;
    world.netns("c1");
    const json routes = json::array({{{"dst", "10.50.0.0/16"}, {"gw", "10.77.0.1"}}});
    const Answer answer = bridge("ADD", bridge_config({{"ipam", ipam({"10.9.0.0/24"}, {{"routes", routes}})}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to add route '{10.50.0.0 ffff0000} via 10.77.0.1 dev eth0 metric 0 (Scope: universe, "
                          "Table: 0)': network is unreachable");
    CHECK(leases("net").empty());
}

TEST_CASE("bridge: a failure after the lease leaves no link but the bridge, and no rule") {
    World world;
    const std::string c1 = world.netns("c1");
    const json routes = json::array({{{"dst", "10.50.0.0/16"}, {"gw", "10.77.0.1"}}});
    const json config =
        bridge_config({{"ipMasq", true}, {"macspoofchk", true}, {"ipam", ipam({"10.9.0.0/24"}, {{"routes", routes}})}});
    CHECK(!bridge("ADD", config).ok());
    CHECK(sh("ip -o link show type veth").empty());
    CHECK(!works("ip link show eth0", c1));
    CHECK(works("ip link show br0"));
    CHECK(!contains(sh("nft list ruleset"), "c1"));
}

// The lease went first, and the next container could have been given an address that was still in use.
TEST_CASE("bridge: a failed ADD gives its address back only when nobody has it any more") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("ip link add br0 type bridge; ip addr add 10.77.0.1/24 dev br0; mkdir -p /run/plugins");
    std::ofstream("/run/plugins/observed") << "#!/bin/sh\n"
                                              "echo \"$CNI_COMMAND $(ip -n c1 -o addr show to 10.9.0.2)\" >>/run/seen\n"
                                              "exec " +
                                                  bin_dir() + "/host-local\n";
    sh("chmod 755 /run/plugins/observed");
    json config = bridge_config();
    config["ipam"]["type"] = "observed";
    const Answer answer =
        invoke({.plugin = "bridge", .config = config, .netns = c1, .path = "/run/plugins:" + bin_dir()});
    CHECK_MESSAGE(contains(answer.msg(), "already has an IP address different from 10.9.0.1/24"), answer.out);
    CHECK(sh("cat /run/seen") == "ADD \nDEL \n");
    CHECK(leases("net").empty());
}

TEST_CASE("bridge: a full bridge says so and nothing is left") {
    World world;
    const std::string c1 = world.netns("c1");
    std::ofstream batch("/run/batch");
    batch << "link add br0 type bridge\n";
    for (int pair = 0; pair < 512; ++pair)
        batch << "link add p" << pair << (pair == 0 ? "" : " master br0") << " type veth peer name q" << pair
              << "\nlink set q" << pair << " master br0\n";
    batch.close();
    sh("ip -batch /run/batch");
    const Answer answer = bridge("ADD", bridge_config());
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to connect container c1 to bridge br0: the bridge is full, it has 1023 ports, which "
                          "is the most the kernel allows; use another bridge for more containers");
    CHECK(!contains(sh("ip -o link show type veth"), ": veth"));
    CHECK(!works("ip link show eth0", c1));
    CHECK(leases("net").empty());
}
