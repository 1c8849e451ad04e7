// SPDX-License-Identifier: Apache-2.0
// What a reboot leaves: lease files of containers that cannot be alive. Played by another boot ID.
#include <doctest/doctest.h>

#include "host_local_call.h"

using namespace test;

namespace {

/// From now on the machine has been booted again.
void reboot(const std::string& boot_id) {
    sh("umount /proc/sys/kernel/random/boot_id 2>/dev/null; echo '" + boot_id +
       "' >/run/boot_id; mount --bind /run/boot_id /proc/sys/kernel/random/boot_id");
}

const std::string first = "11111111-1111-4111-8111-111111111111", second = "22222222-2222-4222-8222-222222222222",
                  third = "33333333-3333-4333-8333-333333333333";

/// Containers with these names each get an address of the five.
void lease_each(const Names& ids) {
    for (const std::string& id : ids)
        leased(small_pool(), id);
}

std::string owner_of(const std::string& address) {
    const std::string content = get(net_dir + "/" + address);
    return content.substr(0, content.find('\r'));
}

} // namespace

TEST_CASE("reboot: a full node is free again, for as many containers as fit, and no more") {
    World world;
    reboot(first);
    lease_each({"old1", "old2", "old3", "old4", "old5"});
    reboot(second);
    lease_each({"new1", "new2", "new3", "new4", "new5"});
    CHECK(contains(refusal(small_pool(), "new6"), "no IP addresses available"));
    Names owners;
    for (const std::string& address : leases("net"))
        owners.push_back(owner_of(address));
    std::ranges::sort(owners);
    CHECK(owners == Names{"new1", "new2", "new3", "new4", "new5"});
}

TEST_CASE("reboot: both families of a chain's range sets are free again") {
    World world;
    const json config = bridge_config({{"ipam", ipam({"10.9.0.0/29", "fd09::/125"})}});
    const auto fill = [&](const std::string& prefix) {
        for (const std::string number : {"1", "2", "3", "4", "5"}) {
            world.netns(prefix + number);
            const Answer answer = bridge("ADD", config, prefix + number);
            CHECK_MESSAGE(answer.ok(), answer.out);
            sh("ip link del br0; ip netns del " + prefix + number); // nothing of it outlives the boot
        }
    };
    reboot(first);
    fill("old");
    reboot(second);
    fill("new");
    CHECK(leases("net").size() == 10);
}

TEST_CASE("reboot: as long as there are free addresses, those of an earlier boot are not touched") {
    World world;
    reboot(first);
    lease_each({"old1", "old2"});
    reboot(second);
    lease_each({"new1", "new2", "new3"});
    CHECK(leases("net").size() == 5);
    CHECK(owner_of("10.9.0.2") == "old1");
    CHECK(owner_of("10.9.0.3") == "old2");
}

TEST_CASE("reboot: a late DEL of a container of an earlier boot leaves the address to whom it is given by now") {
    World world;
    reboot(first);
    lease_each({"old1", "old2", "old3", "old4", "old5"});
    reboot(second);
    lease_each({"new1"});
    CHECK(owner_of("10.9.0.2") == "new1");
    CHECK(hl("DEL", small_pool(), "old1").ok());
    CHECK(owner_of("10.9.0.2") == "new1");
    CHECK(hl("CHECK", small_pool(), "new1").ok());
}

TEST_CASE("reboot: leases of two boots ago are given up as well, and those of this boot never, whatever its length") {
    World world;
    reboot(first);
    lease_each({"oldest1", "oldest2"});
    reboot(second);
    lease_each({"old1"});
    reboot(third);
    lease_each({"new1", "new2"});
    lease_each({"new3", "new4", "new5"});
    CHECK(contains(refusal(small_pool(), "new6"), "no IP addresses available"));
    for (const std::string id : {"new1", "new2", "new3", "new4", "new5"})
        CHECK(hl("CHECK", small_pool(), id).ok());
}

TEST_CASE("reboot: GC keeps what is valid, of this boot or of an earlier one, and removes the rest") {
    World world;
    reboot(first);
    lease_each({"kept", "old"});
    reboot(second);
    lease_each({"new"});
    json config = small_pool();
    config["cniVersion"] = "1.1.0";
    config["cni.dev/valid-attachments"] = {{{"containerID", "kept"}, {"ifname", "eth0"}},
                                           {{"containerID", "new"}, {"ifname", "eth0"}}};
    Call call = hl_call("GC", config, "", "");
    call.netns = "";
    CHECK(invoke(call).ok());
    CHECK(leases("net") == Names{"10.9.0.2", "10.9.0.4"});
}

TEST_CASE("reboot: what is not known to be of an earlier boot is nobody's to give up") {
    World world;
    const auto full = [](const std::string& id) { CHECK(contains(refusal(small_pool(), id), "no IP addresses")); };
    SUBCASE("the index is lost") {
        reboot(first);
        lease_each({"old1", "old2", "old3", "old4", "old5"});
        sh("rm -rf " + data_dir + "/.cnative");
        reboot(second);
        full("new");
    }
    SUBCASE("the lease was written again since the index was") {
        reboot(first);
        lease_each({"old1", "old2", "old3", "old4", "old5"});
        sh("sleep 0.05; cd " + net_dir + "; for f in 10.*; do cp $f /run/copy; rm $f; cp /run/copy $f; done");
        reboot(second);
        full("new");
    }
    SUBCASE("this boot has no ID") {
        reboot(first);
        lease_each({"old1", "old2", "old3", "old4", "old5"});
        reboot("");
        full("new");
    }
    CHECK(leases("net").size() == 5);
}
