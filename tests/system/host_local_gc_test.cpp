// SPDX-License-Identifier: Apache-2.0
// host-local: GC and STATUS.
#include <doctest/doctest.h>

#include "host_local_call.h"

using namespace test;

namespace {

json new_pool(const json& more_ipam = json::object()) {
    json config = small_pool(more_ipam);
    config["cniVersion"] = "1.1.0";
    return config;
}

json attachment(const std::string& id, const std::string& ifname = "eth0") {
    return {{"containerID", id}, {"ifname", ifname}};
}

Answer network_call(const std::string& command, const json& config) {
    Call call = hl_call(command, config, "", "");
    call.netns = "";
    return invoke(call);
}

Answer gc(const std::vector<json>& valid, json config = new_pool()) {
    config["cni.dev/valid-attachments"] = valid;
    return network_call("GC", config);
}

void unavailable(const Answer& answer, const std::string& text) {
    CHECK(answer.status == 1);
    CHECK(answer.code() == 50);
    CHECK_MESSAGE(contains(answer.msg(), text), answer.msg());
}

} // namespace

TEST_CASE("host-local: GC removes the leases of what is not valid and keeps the others") {
    World world;
    for (const std::string id : {"c1", "c2", "c3"})
        leased(new_pool(), id);
    const Answer answer = gc({attachment("c2")});
    CHECK_MESSAGE(answer.ok(), answer.out);
    CHECK(answer.out.empty());
    CHECK(leases("net") == Names{"10.9.0.3"});
    CHECK(get(net_dir + "/last_reserved_ip.0") == "10.9.0.4");
    CHECK(works("test -f " + net_dir + "/lock"));
}

TEST_CASE("host-local: GC tells the interfaces of a container apart") {
    World world;
    leased(new_pool(), "c1", "eth0");
    leased(new_pool(), "c1", "eth1");
    CHECK(gc({attachment("c1", "eth1")}).ok());
    CHECK(leases("net") == Names{"10.9.0.3"});
}

TEST_CASE("host-local: GC keeps a lease that names the container only while any of its interfaces is valid") {
    World world;
    sh("mkdir -p " + net_dir);
    put(net_dir + "/10.9.0.4", "c1");
    CHECK(gc({attachment("c1", "eth9")}).ok());
    CHECK(leases("net") == Names{"10.9.0.4"});
    CHECK(gc({attachment("c2")}).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: GC removes torn leases, and nothing that is no lease") {
    World world;
    leased(new_pool());
    put(net_dir + "/10.9.0.5", "");
    put(net_dir + "/notes", "mine");
    sh("ln -s notes " + net_dir + "/link; mkdir " + net_dir + "/folder; ln -s /etc/hostname " + net_dir + "/10.9.0.6");
    CHECK(gc({attachment("c1")}).ok());
    CHECK(listing(net_dir) == "10.9.0.2\n10.9.0.6\nfolder\nlast_reserved_ip.0\nlink\nlock\nnotes\n");
}

TEST_CASE("host-local: GC and DEL go on after a lease that cannot be removed, and tell of it") {
    World world;
    const json config = hl_ranges({range("10.7.0.0/29"), range("10.8.0.0/29"), range("10.9.0.0/29")});
    for (const std::string command : {"GC", "DEL"}) {
        CAPTURE(command);
        json call = config;
        call["cniVersion"] = "1.1.0";
        leased(config);
        const std::string kept = net_dir + "/10.8.0.2";
        if (!works("chattr +i " + kept))
            SKIP_CASE("the kernel's tmpfs knows no immutable files");
        call["cni.dev/valid-attachments"] = json::array();
        const Answer answer = command == "GC" ? network_call("GC", call) : hl("DEL", call);
        sh("chattr -i " + kept);
        CHECK(answer.status == 1);
        CHECK_MESSAGE(contains(answer.msg(), "unlink " + kept + ": operation not permitted"), answer.out);
        CHECK(leases("net") == Names{"10.8.0.2"});
        CHECK(hl("DEL", call).ok());
        CHECK(leases("net").empty());
        sh("rm " + net_dir + "/last_reserved_ip.*");
    }
}

TEST_CASE("host-local: GC removes the leases of an earlier boot") {
    World world;
    put("/run/boot_id", "11111111-1111-1111-1111-111111111111\n");
    sh("mount --bind /run/boot_id /proc/sys/kernel/random/boot_id");
    leased(new_pool(), "before");
    put("/run/boot_id", "22222222-2222-2222-2222-222222222222\n");
    leased(new_pool(), "after");
    CHECK(gc({attachment("after")}).ok());
    CHECK(leases("net") == Names{"10.9.0.3"});
}

TEST_CASE("host-local: GC leaves other networks and other data dirs alone") {
    World world;
    json other = new_pool();
    other["name"] = "other";
    leased(new_pool());
    leased(other);
    leased(new_pool({{"dataDir", "/run/data"}}));
    CHECK(gc({}).ok());
    CHECK(leases("net").empty());
    CHECK(leases("other") == Names{"10.9.0.2"});
    CHECK(leases("net", "/run/data") == Names{"10.9.0.2"});
    CHECK(gc({}, new_pool({{"dataDir", "/run/data"}})).ok());
    CHECK(leases("net", "/run/data").empty());
}

TEST_CASE("host-local: GC of a network that was never used makes nothing") {
    World world;
    CHECK(gc({}).ok());
    CHECK(!works("test -e " + net_dir));
}

TEST_CASE("host-local: GC needs no more of the config than DEL does") {
    World world;
    leased(new_pool());
    json config = new_pool();
    config["ipam"] = {{"type", "host-local"}, {"ranges", "?"}};
    CHECK(gc({}, config).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: after GC the addresses are given to others") {
    World world;
    for (const std::string id : {"c1", "c2", "c3", "c4", "c5"})
        leased(new_pool(), id);
    CHECK(gc({attachment("c2")}).ok());
    CHECK(leased(new_pool(), "d1") == "10.9.0.2/29");
    CHECK(leased(new_pool(), "d2") == "10.9.0.4/29");
}

TEST_CASE("host-local: STATUS is silent while there are addresses") {
    World world;
    const Answer unused = network_call("STATUS", new_pool());
    CHECK(unused.ok());
    CHECK(unused.out.empty());
    CHECK(!works("test -e " + net_dir));
    leased(new_pool());
    CHECK(network_call("STATUS", new_pool()).ok());
}

TEST_CASE("host-local: STATUS names a range set that is exhausted") {
    World world;
    for (const std::string id : {"c1", "c2", "c3", "c4", "c5"}) {
        CHECK(network_call("STATUS", new_pool()).ok());
        leased(new_pool(), id);
    }
    unavailable(network_call("STATUS", new_pool()),
                "range set 10.9.0.1-10.9.0.6 of network net is exhausted: all 5 addresses are leased; remove "
                "containers, or add to \"ranges\"");
    CHECK(hl("DEL", new_pool(), "c3").ok());
    CHECK(network_call("STATUS", new_pool()).ok());
}

TEST_CASE("host-local: STATUS counts on what an ADD would give up") {
    World world;
    for (const std::string id : {"c1", "c2", "c3", "c4"})
        leased(new_pool(), id);
    put(net_dir + "/10.9.0.6", "");
    CHECK(network_call("STATUS", new_pool()).ok());
    CHECK(leases("net").size() == 5);
}

TEST_CASE("host-local: STATUS names a data dir that cannot be written") {
    World world;
    sh("mkdir /run/data; mount -t tmpfs -o ro none /run/data");
    unavailable(network_call("STATUS", new_pool({{"dataDir", "/run/data"}})),
                "data directory /run/data/net is not writable: /run/data: read-only file system; make it so, or name "
                "another by \"dataDir\"");
}

TEST_CASE("host-local: STATUS tells what ADD would say about the config") {
    World world;
    json config = hl_config({{"subnet", "10.1.2.0/31"}}, {{"cniVersion", "1.1.0"}});
    refused(network_call("STATUS", config), 999, "invalid range set 0: Network 10.1.2.0/31 too small to allocate from");
}
