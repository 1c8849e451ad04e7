// SPDX-License-Identifier: Apache-2.0
// host-local: addresses that were asked for.
#include <doctest/doctest.h>

#include "host_local_call.h"

using namespace test;

namespace {

json asking_runtime(const json& config, const json& ips) {
    json asking = config;
    asking["runtimeConfig"] = {{"ips", ips}};
    return asking;
}

json asking_args(const json& config, const json& ips) {
    json asking = config;
    asking["args"] = {{"cni", {{"ips", ips}}}};
    return asking;
}

} // namespace

TEST_CASE("host-local: an address by CNI_ARGS, with and without prefix length") {
    World world;
    CHECK(leased(small_pool(), "c1", "eth0", "IP=10.9.0.5") == "10.9.0.5/29");
    CHECK(leased(small_pool(), "c2", "eth0", "IP=10.9.0.4/24") == "10.9.0.4/29");
    CHECK(leased(small_pool(), "c3", "eth0", "IP=::ffff:10.9.0.3/64") == "10.9.0.3/29");
    CHECK(contains(refusal(small_pool(), "c4", "IP=10.9.0.5/33"), "invalid IP address 10.9.0.5/33"));
}

TEST_CASE("host-local: an empty IP in CNI_ARGS asks for nothing") {
    World world;
    CHECK(leased(small_pool(), "c1", "eth0", "IgnoreUnknown=1;IP=;FOO=bar") == "10.9.0.2/29");
}

TEST_CASE("host-local: an address by args.cni.ips, with and without prefix length") {
    World world;
    CHECK(leased(asking_args(small_pool(), {"10.9.0.5"}), "c1") == "10.9.0.5/29");
    CHECK(leased(asking_args(small_pool(), {"10.9.0.4/24"}), "c2") == "10.9.0.4/29");
}

TEST_CASE("host-local: an address by runtimeConfig.ips, with and without prefix length") {
    World world;
    CHECK(leased(asking_runtime(small_pool(), {"10.9.0.5"}), "c1") == "10.9.0.5/29");
    CHECK(leased(asking_runtime(small_pool(), {"10.9.0.4/24"}), "c2") == "10.9.0.4/29");
}

TEST_CASE("host-local: addresses asked for in different places add up, each taken from its own range set") {
    World world;
    const json sets = hl_ranges({range("10.7.0.0/24"), range("10.8.0.0/24"), range("fd09::/64"), range("10.9.0.0/24")});
    const json config = asking_runtime(asking_args(sets, {"fd09::77/64", "10.7.0.7"}), {"10.8.0.8", "10.7.0.7"});
    CHECK(leased(config, "c1", "eth0", "IP=10.9.0.9") == "10.7.0.7/24 10.8.0.8/24 fd09::77/64 10.9.0.9/24");
}

TEST_CASE("host-local: an address asked for moves the cursor") {
    World world;
    CHECK(leased(small_pool(), "c1", "eth0", "IP=10.9.0.4") == "10.9.0.4/29");
    CHECK(get(net_dir + "/last_reserved_ip.0") == "10.9.0.4");
    CHECK(leased(small_pool(), "c2") == "10.9.0.5/29");
}

TEST_CASE("host-local: an address in no range is refused and nothing stays leased") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/24", {{"rangeStart", "10.9.0.10"}, {"rangeEnd", "10.9.0.20"}})});
    for (const std::string address : {"10.9.0.9", "10.9.0.21", "10.8.0.1", "fd09::1"}) {
        CAPTURE(address);
        CHECK(refusal(config, "c1", "IP=" + address) == "failed to allocate all requested IPs: " + address);
        CHECK(leases("net").empty());
    }
}

TEST_CASE("host-local: two addresses of one range set cannot both be had") {
    World world;
    CHECK(refusal(asking_runtime(small_pool(), {"10.9.0.3", "10.9.0.4"}))
              .starts_with("failed to allocate all requested IPs: 10.9.0."));
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: an address asked for that lies outside an exhausted range set") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/30")});
    leased(config, "c1");
    CHECK(refusal(config, "c2", "IP=10.8.0.1") ==
          "failed to allocate for range 0: no IP addresses available in range set: 10.9.0.1-10.9.0.2");
}

TEST_CASE("host-local: a container that has an address gets another one when it asks for it") {
    World world;
    CHECK(leased(small_pool()) == "10.9.0.2/29");
    CHECK(leased(small_pool(), "c1", "eth0", "IP=10.9.0.5") == "10.9.0.5/29");
    CHECK(leases("net") == Names{"10.9.0.2", "10.9.0.5"});
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: what is no address is refused") {
    World world;
    CHECK(refusal(small_pool(), "c1", "IP=foo") ==
          "ARGS: error parsing value of pair \"IP=foo\": invalid IP address foo");
    CHECK(refusal(asking_runtime(small_pool(), {""})) == "cannot understand ip: IP <nil> not v4 nor v6");
    CHECK(refusal(asking_args(small_pool(), {""})) == "cannot understand ip: IP <nil> not v4 nor v6");
    CHECK(contains(refusal(asking_runtime(small_pool(), {"foo"})), "invalid IP address foo"));
    // The config is read before CNI_ARGS, and what it says is looked at after them.
    CHECK(refusal(asking_runtime(small_pool(), {"foo"}), "c1", "IP=bar") == "invalid IP address foo");
    CHECK(contains(refusal(asking_runtime(small_pool(), {""}), "c1", "IP=bar"), "invalid IP address bar"));
    CHECK(leases("net").empty());
}
