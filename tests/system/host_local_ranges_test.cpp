// SPDX-License-Identifier: Apache-2.0
// host-local: which address is leased, and which ranges are refused.
#include <doctest/doctest.h>

#include "host_local_call.h"

using namespace test;

// ---- results

TEST_CASE("host-local: one address of each range set, with gateways and routes, in each version") {
    World world;
    const json routes = {{{"dst", "0.0.0.0/0"}},
                         {{"dst", "::/0"}},
                         {{"dst", "192.168.0.0/16"}, {"gw", "1.1.1.1"}},
                         {{"dst", "2001:db8::1/64"}, {"gw", "2001:db8::2"}}};
    json config =
        hl_ranges({{range("10.1.2.0/24"), range("10.2.2.0/24")}, range("2001:db8:1::/64")}, {{"routes", routes}});
    for (const std::string version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0"}) {
        CAPTURE(version);
        config["cniVersion"] = version;
        const Answer answer = hl("ADD", config);
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        json ips = {{{"address", "10.1.2.2/24"}, {"gateway", "10.1.2.1"}},
                    {{"address", "2001:db8:1::2/64"}, {"gateway", "2001:db8:1::1"}}};
        if (version < "1.0.0") {
            ips[0]["version"] = "4";
            ips[1]["version"] = "6";
        }
        CHECK(answer.document()["ips"] == ips);
        CHECK(answer.document()["routes"] == routes);
        CHECK(!answer.document().contains("interfaces"));
        CHECK(leases("net") == Names{"10.1.2.2", "2001:db8:1::2"});
        CHECK(hl("DEL", config).out.empty());
        CHECK(leases("net").empty());
        sh("rm -r " + net_dir);
    }
}

TEST_CASE("host-local: the runtime's range sets come first, then the old form, then ranges") {
    World world;
    const json ipam = {{"subnet", "10.2.0.0/24"},
                       {"ranges", {{range("10.3.0.0/24")}, {range("fd03::/64"), range("fd04::/64")}}}};
    const json runtime = {{"ipRanges", {{range("10.1.0.0/24"), range("10.4.0.0/24")}, {range("fd01::/64")}}}};
    const json config = hl_config(ipam, {{"runtimeConfig", runtime}});
    CHECK(leased(config) == "10.1.0.2/24 fd01::2/64 10.2.0.2/24 10.3.0.2/24 fd03::2/64");
    CHECK(get(net_dir + "/last_reserved_ip.2") == "10.2.0.2");
    CHECK(get(net_dir + "/last_reserved_ip.4") == "fd03::2");
}

TEST_CASE("host-local: a gateway outside the subnet is named and takes no address") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/29", {{"gateway", "10.7.7.7"}})});
    CHECK(hl("ADD", config).document()["ips"][0] == json{{"address", "10.9.0.1/29"}, {"gateway", "10.7.7.7"}});
}

TEST_CASE("host-local: a gateway in the middle of the range is skipped") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/29", {{"gateway", "10.9.0.2"}})});
    CHECK(leased(config, "c1") == "10.9.0.1/29");
    CHECK(leased(config, "c2") == "10.9.0.3/29");
}

TEST_CASE("host-local: under 0.2.0 one address of each family is possible, two of a family are not") {
    World world;
    json config = hl_ranges({range("10.9.0.0/29"), range("fd09::/64")});
    config["cniVersion"] = "0.2.0";
    const json result = hl("ADD", config).document();
    CHECK(result["ip4"] == json{{"ip", "10.9.0.2/29"}, {"gateway", "10.9.0.1"}});
    CHECK(result["ip6"] == json{{"ip", "fd09::2/64"}, {"gateway", "fd09::1"}});

    config = hl_ranges({range("10.8.0.0/29"), range("10.9.0.0/29")});
    config["cniVersion"] = "0.2.0";
    CHECK(refusal(config, "c2") == "CNI version 0.2.0 does not support more than 1 address per family");
    config.erase("cniVersion");
    CHECK(refusal(config, "c2") == "CNI version  does not support more than 1 address per family");
}

// ---- who has what

TEST_CASE("host-local: one container on two networks") {
    World world;
    json other = small_pool();
    other["name"] = "other";
    CHECK(leased(small_pool()) == "10.9.0.2/29");
    CHECK(leased(other) == "10.9.0.2/29");
    CHECK(hl("DEL", small_pool()).ok());
    CHECK(leases("net").empty());
    CHECK(leases("other") == Names{"10.9.0.2"});
}

TEST_CASE("host-local: CHECK tells containers and interfaces apart") {
    World world;
    leased(small_pool());
    const Answer answer = hl("CHECK", small_pool());
    CHECK(answer.ok());
    CHECK(answer.out.empty());
    refused(hl("CHECK", small_pool(), "c1", "eth1"), 999, "host-local: Failed to find address added by container c1");
    sh("rm " + net_dir + "/10.9.0.2");
    refused(hl("CHECK", small_pool()), 999, "host-local: Failed to find address added by container c1");
}

// ---- round robin

TEST_CASE("host-local: a released address waits until the cursor has gone round") {
    World world;
    CHECK(leased(small_pool(), "c1") == "10.9.0.2/29");
    CHECK(leased(small_pool(), "c2") == "10.9.0.3/29");
    CHECK(hl("DEL", small_pool(), "c1").ok());
    for (const std::string address : {"10.9.0.4/29", "10.9.0.5/29", "10.9.0.6/29", "10.9.0.2/29"})
        CHECK(leased(small_pool(), "d" + address.substr(0, 8)) == address);
}

TEST_CASE("host-local: the only address is leased again and again") {
    World world;
    for (int i = 0; i < 3; ++i) {
        CHECK(leased(hl_ranges({range("10.9.0.0/30")})) == "10.9.0.2/30");
        CHECK(hl("DEL", hl_ranges({range("10.9.0.0/30")})).ok());
    }
}

TEST_CASE("host-local: the walk goes through all ranges of a set and round again") {
    World world;
    const json config = hl_ranges({{range("10.8.0.0/30"), range("10.9.0.0/29", {{"rangeStart", "10.9.0.5"}})}});
    CHECK(leased(config, "c1") == "10.8.0.2/30");
    CHECK(leased(config, "c2") == "10.9.0.5/29");
    CHECK(leased(config, "c3") == "10.9.0.6/29");
    CHECK(hl("DEL", config, "c2").ok());
    CHECK(hl("DEL", config, "c1").ok());
    CHECK(leased(config, "c4") == "10.8.0.2/30");
    CHECK(leased(config, "c5") == "10.9.0.5/29");
    CHECK(refusal(config, "c6") == "failed to allocate for range 0: no IP addresses available in range set: "
                                   "10.8.0.1-10.8.0.2,10.9.0.5-10.9.0.6");
}

TEST_CASE("host-local: behind the cursor the walk goes on, without a cursor in the set it starts at the first range") {
    World world;
    const json config = hl_ranges({{range("10.8.0.0/29"), range("10.9.0.0/29")}});
    sh("mkdir -p " + net_dir);
    const std::vector<std::pair<std::string, std::string>> turns = {
        {"10.8.0.4", "10.8.0.5/29"}, {"10.8.0.6", "10.9.0.2/29"}, {"10.9.0.6", "10.8.0.2/29"},
        {"10.7.0.1", "10.8.0.2/29"}, {"nonsense", "10.8.0.2/29"}, {"10.8.0.4\n", "10.8.0.2/29"},
        {"", "10.8.0.2/29"},         {"fd09::1", "10.8.0.2/29"},
    };
    for (const auto& [cursor, address] : turns) {
        CAPTURE(cursor);
        put(net_dir + "/last_reserved_ip.0", cursor);
        CHECK(leased(config) == address);
        CHECK(hl("DEL", config).ok());
    }
}

TEST_CASE("host-local: each range set has its own cursor") {
    World world;
    const json config = hl_ranges({range("10.8.0.0/29"), range("fd09::/64")});
    CHECK(leased(config, "c1") == "10.8.0.2/29 fd09::2/64");
    put(net_dir + "/last_reserved_ip.1", "fd09::ff");
    CHECK(leased(config, "c2") == "10.8.0.3/29 fd09::100/64");
}

TEST_CASE("host-local: network and broadcast address are leased when the config names them") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/30", {{"rangeStart", "10.9.0.0"}, {"rangeEnd", "10.9.0.3"}})});
    CHECK(leased(config, "c1") == "10.9.0.0/30");
    CHECK(leased(config, "c2") == "10.9.0.2/30");
    CHECK(leased(config, "c3") == "10.9.0.3/30");
    CHECK(refusal(config, "c4") ==
          "failed to allocate for range 0: no IP addresses available in range set: 10.9.0.0-10.9.0.3");
}

// Was: a range that ends before it starts, "2^63 addresses", and none of them to be had.
TEST_CASE("host-local: a range that starts at the broadcast address ends there") {
    World world;
    const json config = hl_ranges({range("10.9.0.0/30", {{"rangeStart", "10.9.0.3"}})});
    CHECK(leased(config, "c1") == "10.9.0.3/30");
    const Answer answer = hl("ADD", config, "c2");
    CHECK(answer.msg() == "failed to allocate for range 0: no IP addresses available in range set: 10.9.0.3-10.9.0.3");
    CHECK_MESSAGE(contains(answer.err, "range set 10.9.0.3-10.9.0.3 has 1 addresses and holds 1 leases"), answer.err);
}

TEST_CASE("host-local: in IPv6 the last address of the subnet is leased") {
    World world;
    const json config = hl_ranges({range("fd09::/126")});
    CHECK(leased(config, "c1") == "fd09::2/126");
    CHECK(leased(config, "c2") == "fd09::3/126");
    CHECK(refusal(config, "c3") ==
          "failed to allocate for range 0: no IP addresses available in range set: fd09::1-fd09::3");
}

TEST_CASE("host-local: the end of the address space") {
    World world;
    const json last = {{"rangeStart", "255.255.255.255"}, {"rangeEnd", "255.255.255.255"}};
    CHECK(leased(hl_ranges({range("255.255.255.0/24", last)}), "c1") == "255.255.255.255/24");
    CHECK(contains(refusal(hl_ranges({range("255.255.255.0/24", last)}), "c2"), "no IP addresses available"));
    const json v6 = hl_ranges({range("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126")});
    CHECK(leased(v6, "d1") == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/126");
    CHECK(leased(v6, "d2") == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/126");
    CHECK(contains(refusal(v6, "d3"), "no IP addresses available"));
}

TEST_CASE("host-local: a subnet of half the IPv6 space") {
    World world;
    CHECK(leased(hl_ranges({range("8000::/1")})) == "8000::2/1");
    CHECK(leased(hl_ranges({range("8000::/1", {{"rangeStart", "ffff::ffff"}})}), "c2") == "ffff::ffff/1");
}

TEST_CASE("host-local: exhaustion counts the addresses and the leases on stderr") {
    World world;
    const json config = hl_ranges({{range("10.9.0.0/30"), range("10.8.0.0/30")}});
    leased(config, "c1");
    leased(config, "c2");
    const Answer answer = hl("ADD", config, "c3");
    CHECK_MESSAGE(
        contains(answer.err, "range set 10.9.0.1-10.9.0.2,10.8.0.1-10.8.0.2 has 2 addresses and holds 2 leases"),
        answer.err);
    CHECK(leases("net") == Names{"10.8.0.2", "10.9.0.2"});
    CHECK(hl("DEL", config, "c1").ok());
    CHECK(leased(config, "c3") == "10.9.0.2/30");
}

// ---- failures

TEST_CASE("host-local: an ADD that fails gives back what it leased and nothing that the container had before") {
    World world;
    CHECK(leased(hl_ranges({range("10.7.0.0/29")}), "c1") == "10.7.0.2/29");
    CHECK(leased(hl_ranges({range("10.9.0.0/30")}), "c2") == "10.9.0.2/30");
    CHECK(refusal(hl_ranges({range("10.8.0.0/29"), range("10.9.0.0/30")}), "c1") ==
          "failed to allocate for range 1: no IP addresses available in range set: 10.9.0.1-10.9.0.2");
    CHECK(leases("net") == Names{"10.7.0.2", "10.9.0.2"});
}

// The first lease that could not be removed kept the others.
TEST_CASE("host-local: an ADD that fails gives back every lease that it can, and tells which it cannot") {
    World world;
    const json one = range("10.8.0.0/30"); // with one address, which is taken
    REQUIRE(leased(hl_ranges({one}), "other") == "10.8.0.2/30");
    Call add = hl_call("ADD", hl_ranges({range("10.9.0.0/24"), range("fd09::/64"), one}));
    add.wrapper = {"strace", "-qq", "-o", "/run/trace", "-e", "inject=unlinkat:error=EIO:when=1"};
    const Answer answer = invoke(add);
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(contains(answer.document()["details"], "unlink " + net_dir + "/10.9.0.2: input/output error"),
                  answer.out);
    CHECK(leases("net") == Names{"10.8.0.2", "10.9.0.2"});
}

TEST_CASE("host-local: without an ipam key") {
    World world;
    CHECK(refusal({{"cniVersion", "1.0.0"}, {"name", "net"}}) == "IPAM config missing 'ipam' key");
    CHECK(refusal({{"cniVersion", "1.0.0"}, {"name", "net"}, {"ipam", nullptr}}) == "IPAM config missing 'ipam' key");
}

TEST_CASE("host-local: what no range can be") {
    World world;
    const json both = {{"rangeStart", "10.1.2.9"}, {"rangeEnd", "10.1.2.8"}};
    const std::vector<std::pair<json, std::string>> wrong = {
        {json::object(), "IP <nil> not v4 nor v6"},
        {range("10.1.2.0/32"), "Network 10.1.2.0/32 too small to allocate from"},
        {range("fd09::/127"), "Network fd09::/127 too small to allocate from"},
        {range("fd09::/128"), "Network fd09::/128 too small to allocate from"},
        {range("fd09::7/64"),
         "Network has host bits set. For a subnet mask of length 64 the network address is fd09::"},
        {range("10.1.2.0/24", {{"rangeEnd", "10.2.2.20"}}), "RangeEnd 10.2.2.20 not in network 10.1.2.0/24"},
        {range("10.1.2.0/24", both), "RangeStart 10.1.2.9 not in network 10.1.2.0/24"},
        {range("10.1.2.0/24", {{"rangeStart", "fd09::1"}}), "RangeStart fd09::1 not in network 10.1.2.0/24"},
    };
    for (const auto& [object, text] : wrong) {
        CAPTURE(object.dump());
        CHECK(refusal(hl_ranges({object})) == "invalid range set 0: " + text);
        CHECK(refusal(hl_ranges({range("10.5.0.0/24"), object})) == "invalid range set 1: " + text);
    }
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: range sets that are none") {
    World world;
    CHECK(refusal(hl_config({{"rangeStart", "10.1.2.3"}})) == "no IP ranges specified");
    CHECK(refusal(hl_config({{"ranges", json::array()}})) == "no IP ranges specified");
    CHECK(refusal(hl_ranges({json::array()})) == "invalid range set 0: empty range set");
}

TEST_CASE("host-local: text that is no address") {
    World world;
    CHECK(refusal(hl_config({{"subnet", "foo"}})) == "invalid CIDR address: foo");
    CHECK(refusal(hl_config({{"subnet", "10.1.2.0"}})) == "invalid CIDR address: 10.1.2.0");
    CHECK(refusal(hl_ranges({range("10.1.2.0/33")})) == "invalid CIDR address: 10.1.2.0/33");
    CHECK(refusal(hl_ranges({range("10.1.2.0/24", {{"gateway", "foo"}})})) == "invalid IP address: foo");
    CHECK(refusal(hl_ranges({range("10.1.2.0/24", {{"rangeStart", "10.1.2"}})})) == "invalid IP address: 10.1.2");
    CHECK(refusal(hl_ranges({range("10.1.2.0/24", {{"rangeEnd", "10.1.2.0/24"}})})) ==
          "invalid IP address: 10.1.2.0/24");
    CHECK(refusal(small_pool({{"routes", {{{"dst", "foo"}}}}})) == "invalid CIDR address: foo");
    CHECK(refusal(small_pool({{"routes", {{{"dst", ""}}}}})) == "invalid CIDR address: ");
    CHECK(refusal(small_pool({{"routes", {{{"dst", "0.0.0.0/0"}, {"gw", "10.1.2"}}}}})) ==
          "invalid IP address: 10.1.2");
}

TEST_CASE("host-local: ranges that overlap, within a set and between sets") {
    World world;
    CHECK(refusal(hl_ranges({{range("10.1.2.0/24"), range("10.1.0.0/16")}})) ==
          "invalid range set 0: subnets 10.1.2.1-10.1.2.254 and 10.1.0.1-10.1.255.254 overlap");
    CHECK(refusal(hl_ranges({range("10.1.2.0/24"), range("10.9.0.0/24"), range("10.1.0.0/16")})) ==
          "range set 0 overlaps with 2");
    CHECK(refusal(hl_config({{"subnet", "10.1.2.0/24"}, {"ranges", {{range("10.1.2.0/24")}, {range("fd09::/64")}}}})) ==
          "range set 0 overlaps with 1");
    CHECK(refusal(hl_ranges({{range("fd09::/64"), range("10.1.0.0/16")}})) ==
          "invalid range set 0: mixed address families");
}

TEST_CASE("host-local: parts of one subnet may lie beside each other, but not on each other") {
    World world;
    const auto part = [](const std::string& start, const std::string& end) {
        return range("10.1.2.0/24", {{"rangeStart", start}, {"rangeEnd", end}});
    };
    const json first = part("10.1.2.1", "10.1.2.9"), second = part("10.1.2.10", "10.1.2.19");
    CHECK(leased(hl_ranges({first, second}), "c1") == "10.1.2.2/24 10.1.2.10/24");
    CHECK(leased(hl_ranges({{first, second}}), "c2") == "10.1.2.3/24");
    CHECK(refusal(hl_ranges({{first, part("10.1.2.9", "10.1.2.19")}})) ==
          "invalid range set 0: subnets 10.1.2.1-10.1.2.9 and 10.1.2.9-10.1.2.19 overlap");
    CHECK(refusal(hl_ranges({first, part("10.1.2.9", "10.1.2.19")})) == "range set 0 overlaps with 1");
}

// ---- resolv.conf

// A folder was "open …: invalid argument".
TEST_CASE("host-local: a resolvConf that is a folder is called one") {
    World world;
    const Answer answer = hl("ADD", small_pool({{"resolvConf", "/run"}}));
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "read /run: is a directory");
}

TEST_CASE("host-local: every line of resolvConf, with comments, blanks and what is not understood") {
    World world;
    put("/run/resolv.conf", "# a comment\n; another\nnameserver 192.0.2.53 192.0.2.54\n\tnameserver\t2001:db8::53 \n"
                            "domain first.example\ndomain example.com\nsearch a.example b.example\nsearch c.example\n"
                            "options ndots:5 rotate\nsortlist 192.0.2.0\nnameserver\noptions edns0");
    CHECK(hl("ADD", small_pool({{"resolvConf", "/run/resolv.conf"}})).document()["dns"] ==
          json{{"nameservers", {"192.0.2.53", "2001:db8::53"}},
               {"domain", "example.com"},
               {"search", {"a.example", "b.example", "c.example"}},
               {"options", {"ndots:5", "rotate", "edns0"}}});
}
