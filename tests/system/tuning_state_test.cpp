// SPDX-License-Identifier: Apache-2.0
// tuning: the file that ADD saves and DEL restores from.
#include "tuning_call.h"

using namespace test;

namespace {

const json all_keys = {{"mtu", 1400}, {"mac", "02:00:5e:10:00:01"}, {"promisc", true}, {"allmulti", true}};

Answer gc(const json& valid, const std::string& network = "net") {
    Call call = tuning("GC", {{"cniVersion", "1.1.0"}, {"name", network}, {"cni.dev/valid-attachments", valid}});
    call.id = call.netns = call.ifname = "";
    return invoke(call);
}

} // namespace

TEST_CASE("tuning: the saved state is the Go suite's file") {
    World world;
    const std::string c1 = with_eth0(world);
    sh("ip link set eth0 address 02:00:00:00:00:07 allmulticast on", c1);
    REQUIRE(invoke(tuning("ADD", all_keys)).ok());
    CHECK(content_of(saved_file) == "{\n \"mac\": \"02:00:00:00:00:07\",\n \"promisc\": false,\n \"mtu\": 1500,\n"
                                    " \"allmulti\": true\n}");
    CHECK(sh("stat -c %a " + std::string(saved_file)) == "600\n");
    REQUIRE(invoke(tuning("DEL", all_keys)).ok());
    REQUIRE(invoke(tuning("ADD", {{"mtu", 1300}})).ok());
    CHECK(content_of(saved_file) == "{\n \"mtu\": 1500\n}");
}

TEST_CASE("tuning: either suite restores what the other saved") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    for (const bool ours_first : {true, false}) {
        const auto call = [&](const std::string& command, bool ours) {
            return ours
                       ? invoke(tuning(command, all_keys))
                       : Answer{.status = run({go_dir() + "/tuning"}, {.input = tuning(command, all_keys).config.dump(),
                                                                       .environment = {{{"CNI_COMMAND", command},
                                                                                        {"CNI_CONTAINERID", "c1"},
                                                                                        {"CNI_NETNS", c1},
                                                                                        {"CNI_IFNAME", "eth0"},
                                                                                        {"CNI_PATH", go_dir()}}}})
                                              .status};
        };
        CAPTURE(ours_first);
        CHECK(call("ADD", ours_first).ok());
        CHECK(link_of(c1)["mtu"] == 1400);
        CHECK(call("DEL", !ours_first).ok());
        CHECK(link_of(c1) == before);
        CHECK(!is_there(saved_file));
    }
}

TEST_CASE("tuning: dataDir says where the state is saved") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    const json keys = {{"mtu", 1400}, {"dataDir", "/run/elsewhere/deep"}};
    REQUIRE(invoke(tuning("ADD", keys)).ok());
    CHECK(is_there("/run/elsewhere/deep/c1_eth0.json"));
    CHECK(!is_there(saved_file));
    REQUIRE(invoke(tuning("DEL", keys)).ok());
    CHECK(!is_there("/run/elsewhere/deep/c1_eth0.json"));
    CHECK(link_of(c1) == before);
}

TEST_CASE("tuning: an ADD that comes twice does not take the changed state for the original") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    REQUIRE(invoke(tuning("ADD", {{"mtu", 1400}})).ok());
    REQUIRE(invoke(tuning("ADD", all_keys)).ok());
    REQUIRE(invoke(tuning("DEL", all_keys)).ok());
    CHECK(link_of(c1) == before);
    CHECK(sh("find /run/cni -type f") == "");
}

TEST_CASE("tuning: an ADD that fails leaves everything as it was") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    json keys = all_keys;
    keys["mtu"] = 99999999; // comes behind MAC and promisc
    keys["sysctl"] = {{"net.ipv4.conf.IFNAME.arp_filter", "1"}, {"net.ipv4.ip_local_port_range", "20000 30000"}};
    const std::string ports = sysctl("ipv4/ip_local_port_range", c1);
    CHECK(!invoke(tuning("ADD", keys)).ok());
    CHECK(link_of(c1) == before);
    CHECK(sysctl("ipv4/conf/eth0/arp_filter", c1) == "0");
    CHECK(sysctl("ipv4/ip_local_port_range", c1) == ports);
    CHECK(sh("find /run/cni -type f") == "");
}

TEST_CASE("tuning: a link that takes no other MAC fails the ADD in one sentence, for there is nothing to restore") {
    World world;
    const std::string c1 = with_eth0(world);
    sh("ip link del eth0; ip link add eth0 type ifb", c1);
    const json before = link_of(c1);
    refused(invoke(tuning("ADD", {{"mtu", 1400}, {"mac", "02:00:5e:10:00:01"}})), 999, "operation not supported");
    CHECK(link_of(c1) == before);
    const Answer answer = invoke(tuning("DEL", {{"mac", "02:00:5e:10:00:01"}}));
    CHECK(answer.ok());
    CHECK(answer.err == "");
    CHECK(sh("find /run/cni -type f") == "");
}

TEST_CASE("tuning: DEL with a config that cannot be read restores all the same") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    REQUIRE(invoke(tuning("ADD", all_keys)).ok());
    CHECK(invoke(with_args(tuning("DEL", {{"mtu", "wrong"}, {"sysctl", 7}, {"prevResult", 7}}), "nonsense")).ok());
    CHECK(link_of(c1) == before);
}

TEST_CASE("tuning: DEL without a namespace, or of one that has gone, succeeds and takes the file along") {
    World world;
    for (const std::string netns : {"", "/run/netns/nobody"}) {
        CAPTURE(netns);
        with_eth0(world);
        REQUIRE(invoke(tuning("ADD", all_keys)).ok());
        Call call = tuning("DEL", all_keys);
        call.netns = netns;
        CHECK(invoke(call).ok());
        CHECK(sh("find /run/cni -type f") == "");
        world.remove_netns("c1");
    }
}

TEST_CASE("tuning: DEL after the interface has gone succeeds and takes the file along") {
    World world;
    const std::string c1 = with_eth0(world);
    REQUIRE(invoke(tuning("ADD", all_keys)).ok());
    sh("ip link del eth0", c1);
    CHECK(invoke(tuning("DEL", all_keys)).ok());
    CHECK(sh("find /run/cni -type f") == "");
}

TEST_CASE("tuning: DEL succeeds, and restores, with a container ID of any length") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    // "_eth0.json" still fits beside the first in the name of a file; beside the second it does not.
    for (const std::size_t length : {245, 300}) {
        CAPTURE(length);
        const std::string id(length, 'a');
        Call add = tuning("ADD", all_keys), del = tuning("DEL", all_keys);
        add.id = del.id = id;
        CHECK(invoke(add).ok() == (length == 245));
        CHECK(invoke(del).ok());
        CHECK(link_of(c1) == before);
        CHECK(sh("find /run/cni -type f") == "");
    }
}

TEST_CASE("tuning: DEL with nothing saved succeeds on a read-only data folder") { // it failed for ever
    World world;
    (void)with_eth0(world);
    sh("mkdir -p /run/full; mount -t tmpfs -o ro none /run/full");
    const Answer answer = invoke(tuning("DEL", {{"dataDir", "/run/full"}}));
    CHECK_MESSAGE(answer.ok(), answer.out);
}

// It gave the other container's interface the MAC and the MTU of the one that had gone.
TEST_CASE("tuning: a late DEL leaves the interface of whoever has the namespace's path by now") {
    World world;
    world.netns("c1");
    (void)added(bridge_config());
    REQUIRE(invoke(tuning("ADD", all_keys)).ok());
    world.remove_netns("c1");
    const std::string path = world.netns("c1");
    REQUIRE(invoke({.plugin = "bridge", .config = bridge_config({{"mtu", 1300}}), .id = "c2", .netns = path}).ok());
    const json before = link_of(path);
    const Answer answer = invoke(tuning("DEL", all_keys));
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(link_of(path) == before);
    CHECK(!is_there(saved_file));
}

TEST_CASE("tuning: a saved state that cannot be read is told on stderr, fails no DEL, and goes") {
    World world;
    const std::string c1 = with_eth0(world);
    for (const std::string content : {"", "{\"mtu\": ", "[]", "{\"mtu\": -1}", "{\"mac\": \"x\"}"}) {
        CAPTURE(content);
        sh("mkdir -p /run/cni/tuning");
        std::ofstream(saved_file) << content;
        const Answer answer = invoke(tuning("DEL", all_keys));
        CHECK(answer.ok());
        CHECK_MESSAGE(contains(answer.err, "c1_eth0.json: is no state of a link"), answer.err);
        CHECK(!is_there(saved_file));
    }
}

TEST_CASE("tuning: a saved state that is a link or a FIFO is neither followed nor waited for") {
    World world;
    const std::string c1 = with_eth0(world);
    sh("mkdir -p /run/cni/tuning; echo '{\"mtu\": 1234}' > /run/victim");
    for (const std::string make : {"ln -s /run/victim ", "mkfifo "}) {
        CAPTURE(make);
        sh(make + saved_file);
        CHECK(invoke(tuning("DEL", all_keys)).ok());
        CHECK(link_of(c1)["mtu"] == 1500);
        sh(make + saved_file);
        (void)invoke(tuning("ADD", all_keys));
        CHECK(invoke(tuning("DEL", all_keys)).ok());
        CHECK(content_of("/run/victim") == "{\"mtu\": 1234}\n");
        CHECK(link_of(c1)["mtu"] == 1500);
    }
}

TEST_CASE("tuning: a data folder that cannot be made fails the ADD before anything is changed") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    sh("touch /run/file");
    const Answer answer = invoke(tuning("ADD", {{"mtu", 1400}, {"dataDir", "/run/file/x"}}));
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(answer.msg().starts_with("failed to create backup directory: "), answer.msg());
    CHECK(link_of(c1) == before);
}

// It left the empty file that tells the network, for GC.
TEST_CASE("tuning: a saved state that cannot be written fails the ADD, and leaves nothing") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    // Room for the folders and the empty file, and no more.
    sh("mkdir -p /run/cni/tuning; mount -t tmpfs -o nr_inodes=4 tmpfs /run/cni/tuning");
    const Answer answer = invoke(tuning("ADD", all_keys));
    CHECK(answer.status == 1);
    CHECK(answer.code() == 5);
    CHECK(answer.msg() ==
          "failed to save file eth0.json: create /run/cni/tuning/c1_eth0.json: no space left on device");
    CHECK(link_of(c1) == before);
    CHECK(sh("find /run/cni -type f") == "");
}

TEST_CASE("tuning: what DEL cannot restore is told on stderr, and the file goes") {
    World world;
    const std::string c1 = with_eth0(world);
    REQUIRE(invoke(tuning("ADD", {{"mtu", 1400}, {"promisc", true}})).ok());
    std::ofstream(saved_file) << "{\"mtu\": 99999999, \"promisc\": false}";
    const Answer answer = invoke(tuning("DEL"));
    CHECK(answer.ok());
    CHECK_MESSAGE(contains(answer.err, "failed to restore MTU"), answer.err);
    CHECK(link_of(c1)["promisc"] == false);
    CHECK(!is_there(saved_file));
}

TEST_CASE("tuning: killed between saving and changing, or after, DEL restores") {
    World world;
    const std::string c1 = with_eth0(world);
    const json before = link_of(c1);
    bool changed = false;
    for (int n = 1; n < 3000; ++n) {
        Call call = tuning("ADD", all_keys);
        call.wrapper = {FAILAT, std::to_string(n), "KILL"};
        const bool through = invoke(call).ok();
        changed = changed || link_of(c1) != before;
        CAPTURE(n);
        REQUIRE(invoke(tuning("DEL", all_keys)).ok());
        REQUIRE(link_of(c1) == before);
        REQUIRE(sh("find /run/cni -type f 2>/dev/null || true") == "");
        if (through)
            break;
        REQUIRE(n < 2999);
    }
    CHECK(changed);
}

TEST_CASE("tuning: GC removes the saved states of what is not valid, and keeps the others and other networks'") {
    World world;
    for (const std::string name : {"c1", "c2", "c3"}) {
        with_eth0(world, name);
        Call call = tuning("ADD", all_keys);
        if (name == "c3")
            call.config["name"] = "another";
        call.id = name;
        call.netns = "/run/netns/" + name;
        REQUIRE(invoke(call).ok());
    }
    std::ofstream("/run/cni/tuning/foreign_eth0.json") << "{}"; // the Go suite's: nothing tells whose it is
    CHECK(gc({{{"containerID", "c2"}, {"ifname", "eth0"}}}).ok());
    CHECK(sh("cd /run/cni/tuning; ls") == "c2_eth0.json\nc3_eth0.json\nforeign_eth0.json\n");
    CHECK(gc(json::array()).ok());
    CHECK(sh("cd /run/cni/tuning; ls") == "c3_eth0.json\nforeign_eth0.json\n");
    CHECK(gc(json::array(), "another").ok());
    CHECK(sh("cd /run/cni/tuning; ls") == "foreign_eth0.json\n");
    CHECK(sh("find /run/cni/tuning/.cnative -type f") == "");
}

TEST_CASE("tuning: GC leaves the state of a container that has moved to another network") {
    World world;
    with_eth0(world);
    REQUIRE(invoke(tuning("ADD", all_keys)).ok());
    REQUIRE(invoke(tuning("ADD", {{"name", "another"}, {"mtu", 1400}})).ok());
    CHECK(gc(json::array()).ok());
    CHECK(is_there(saved_file));
    CHECK(invoke(tuning("DEL", {{"name", "another"}})).ok());
    CHECK(sh("find /run/cni -type f") == "");
}
