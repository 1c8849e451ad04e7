// SPDX-License-Identifier: Apache-2.0
// host-local without its executable: ranges and their texts, the order of allocation, the lease store.
#include "allocator.h"
#include "config.h"
#include "data_dir.h"
#include "index.h"
#include "lease_files.h"
#include "ranges.h"
#include "resolv_conf.h"
#include "store.h"

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cni/error.h"
#include "cni/invocation.h"
#include "os/file.h"
#include "os/text.h"

using namespace host_local;

namespace {

inet::Address ip(std::string_view text) {
    return inet::Address::parse(text).value();
}

RangeSpec spec(std::string_view subnet, std::string_view start = "", std::string_view end = "",
               std::string_view gateway = "") {
    const auto optional_ip = [](std::string_view text) {
        return text.empty() ? std::nullopt : std::optional(ip(text));
    };
    return {.subnet = inet::Prefix::parse(subnet),
            .mapped_subnet = {},
            .start = optional_ip(start),
            .end = optional_ip(end),
            .gateway = optional_ip(gateway)};
}

RangeSet set_of(const std::vector<RangeSpec>& specs) {
    return complete_set(specs);
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const cni::Error& error) {
        CHECK(error.details().empty());
        return error.message();
    }
    return "no error";
}

std::string add(const DataDir& data, const RangeSet& set, std::string_view id) {
    const auto store = data.open();
    const inet::Address address = reserve_next(*store, set, 0, {std::string(id), "eth0"});
    store->set_last_reserved(0, address);
    return address.text();
}

void del(const DataDir& data, std::string_view id) {
    const auto store = data.open();
    const std::string owner = Owner{std::string(id), "eth0"}.text();
    for (const inet::Address& address : store->leases_of(owner))
        store->release(address, owner);
}

/// The state after a reboot: the index names another boot than the running one.
void pretend_reboot(const DataDir& data, const std::vector<std::string>& ids_and_addresses) {
    Index index(nullptr);
    const os::Fd dir = data.network();
    for (std::size_t i = 0; i + 1 < ids_and_addresses.size(); i += 2) {
        const inet::Address address = ip(ids_and_addresses[i + 1]);
        index.add(ids_and_addresses[i] + "\r\neth0", {.address = address, .born = born_of(dir, address)});
    }
    const os::Fd root = os::open_dir(data.path);
    index.save(os::make_dir_at(root, ".cnative", 0700), "net.index", {.device = 1}, "an-earlier-boot");
}

cni::Invocation call_with(std::string_view config, std::string_view args = "") {
    cni::Invocation call;
    call.network = "net";
    call.args = args;
    call.config = cni::Object::parse(config);
    return call;
}

std::string config_error(std::string_view config, std::string_view args = "") {
    return message_of([&] { (void)read_config(call_with(config, args)); });
}

} // namespace

TEST_CASE("ranges: defaults") {
    const Range v4 = complete(spec("10.1.2.0/24"));
    CHECK(v4.text() == "10.1.2.1-10.1.2.254");
    CHECK(v4.gateway == ip("10.1.2.1"));
    CHECK(v4.size_text() == "253");
    const Range small = complete(spec("10.1.2.4/30"));
    CHECK(small.text() == "10.1.2.5-10.1.2.6");
    const Range v6 = complete(spec("fd00::/64"));
    CHECK(v6.text() == "fd00::1-fd00::ffff:ffff:ffff:ffff");
    CHECK(v6.size_text() == "2^63 or more");
    CHECK(complete(spec("fd00::/66")).size_text() == "4611686018427387902");
    CHECK(complete(spec("fd00::/48")).size_text() == "2^63 or more");
    CHECK(complete(spec("::/0")).size_text() == "2^63 or more");
    CHECK(complete(spec("0.0.0.0/0")).text() == "0.0.0.1-255.255.255.254");
    CHECK(complete(spec("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126")).text() ==
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    CHECK(complete(spec("10.1.2.0/24", "", "", "10.9.9.9")).size_text() == "254");
    CHECK(complete(spec("10.1.2.0/24", "10.1.2.0", "10.1.2.255")).text() == "10.1.2.0-10.1.2.255");
    CHECK(complete(spec("10.1.2.0/24", "10.1.2.255")).text() == "10.1.2.255-10.1.2.255");
    CHECK(complete(spec("10.1.2.0/24", "10.1.2.255")).size_text() == "1");
}

TEST_CASE("ranges: what is refused, and how") {
    const auto error = [](const RangeSpec& range) { return message_of([&] { (void)complete(range); }); };
    CHECK(error(RangeSpec{}) == "IP <nil> not v4 nor v6");
    CHECK(error(spec("10.1.2.0/31")) == "Network 10.1.2.0/31 too small to allocate from");
    CHECK(error(spec("10.1.2.5/32")) == "Network 10.1.2.5/32 too small to allocate from");
    CHECK(error(spec("fd00::/127")) == "Network fd00::/127 too small to allocate from");
    CHECK(error(spec("10.1.2.7/24")) ==
          "Network has host bits set. For a subnet mask of length 24 the network address is 10.1.2.0");
    CHECK(error(spec("fd00::7/64")) ==
          "Network has host bits set. For a subnet mask of length 64 the network address is fd00::");
    CHECK(error(spec("10.1.2.0/24", "10.1.3.1")) == "RangeStart 10.1.3.1 not in network 10.1.2.0/24");
    CHECK(error(spec("10.1.2.0/24", "10.1.2.9", "10.1.2.8")) == "RangeStart 10.1.2.9 not in network 10.1.2.0/24");
    CHECK(error(spec("10.1.2.0/24", "fd00::1")) == "RangeStart fd00::1 not in network 10.1.2.0/24");
    CHECK(error(spec("10.1.2.0/24", "", "10.2.2.20")) == "RangeEnd 10.2.2.20 not in network 10.1.2.0/24");
    CHECK(error(spec("10.1.2.0/24", "", "10.1.2.0")) == "RangeEnd 10.1.2.0 not in network 10.1.2.0/24");
}

TEST_CASE("range sets: families and overlaps") {
    const auto error = [](const std::vector<RangeSpec>& specs) {
        return message_of([&] { (void)complete_set(specs); });
    };
    CHECK(error({}) == "empty range set");
    CHECK(error({spec("10.1.2.0/24"), spec("fd00::/64")}) == "mixed address families");
    CHECK(error({spec("10.1.2.0/24"), spec("10.1.0.0/16")}) ==
          "subnets 10.1.2.1-10.1.2.254 and 10.1.0.1-10.1.255.254 overlap");
    CHECK(error({spec("10.1.2.0/24", "", "10.1.2.9"), spec("10.1.2.0/24", "10.1.2.10")}) == "no error");
    CHECK(set_of({spec("10.1.2.0/29"), spec("10.5.0.0/29")}).text() == "10.1.2.1-10.1.2.6,10.5.0.1-10.5.0.6");

    const auto all = [](const std::vector<std::vector<RangeSpec>>& specs, std::string_view version) {
        return message_of([&] { (void)complete_sets(specs, version); });
    };
    CHECK(all({}, "1.0.0") == "no IP ranges specified");
    CHECK(all({{spec("10.1.2.0/24")}, {}}, "1.0.0") == "invalid range set 1: empty range set");
    CHECK(all({{spec("10.1.2.0/24")}, {spec("10.3.2.0/24")}}, "0.2.0") ==
          "CNI version 0.2.0 does not support more than 1 address per family");
    CHECK(all({{spec("10.1.2.0/24")}, {spec("10.3.2.0/24")}}, "") ==
          "CNI version  does not support more than 1 address per family");
    CHECK(all({{spec("10.1.2.0/24")}, {spec("fd00::/64")}}, "0.2.0") == "no error");
    CHECK(all({{spec("10.1.2.0/24")}, {spec("fd00::/64")}, {spec("10.1.2.128/25")}}, "1.0.0") ==
          "range set 0 overlaps with 2");
}

TEST_CASE("round robin: on behind the last one, which comes last") {
    const RangeSet set = set_of({spec("10.1.2.0/29"), spec("10.5.0.0/29"), spec("10.3.0.0/29")});
    const auto order = [&](const std::optional<inet::Address>& last) {
        std::string text;
        for (const Stretch& stretch : round_robin(set, last))
            text += os::cat(stretch.first.text(), "-", stretch.last.text(), " ");
        return text;
    };
    CHECK(order({}) == "10.1.2.1-10.1.2.6 10.5.0.1-10.5.0.6 10.3.0.1-10.3.0.6 ");
    CHECK(order(ip("192.168.0.1")) == order({}));
    CHECK(order(ip("10.5.0.3")) == "10.5.0.4-10.5.0.6 10.3.0.1-10.3.0.6 10.1.2.1-10.1.2.6 10.5.0.1-10.5.0.3 ");
    CHECK(order(ip("10.5.0.6")) == "10.3.0.1-10.3.0.6 10.1.2.1-10.1.2.6 10.5.0.1-10.5.0.6 ");
}

TEST_CASE("allocation walks through all ranges, skips gateways and reports exhaustion") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/30"), spec("10.5.0.0/29", "10.5.0.4", "10.5.0.6", "10.5.0.6")});
    CHECK(add(data, set, "c1") == "10.1.2.2");
    CHECK(add(data, set, "c2") == "10.5.0.4");
    CHECK(add(data, set, "c3") == "10.5.0.5");
    CHECK(message_of([&] { (void)add(data, set, "c4"); }) ==
          "no IP addresses available in range set: 10.1.2.1-10.1.2.2,10.5.0.4-10.5.0.6");
    CHECK(message_of([&] { (void)add(data, set, "c2"); }) ==
          "10.5.0.4 has been allocated to c2, duplicate allocation is not allowed");
    del(data, "c2");
    CHECK(add(data, set, "c5") == "10.5.0.4");
}

TEST_CASE("allocation: a released address waits until the cursor has gone round") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/29")});
    for (const char* expected : {"10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6", "10.1.2.2", "10.1.2.3"}) {
        CHECK(add(data, set, "c1") == expected);
        CHECK(data.get("last_reserved_ip.0") == expected);
        del(data, "c1");
    }
}

TEST_CASE("allocation: one address, its end of the address space, and the range whose only address is the gateway") {
    const DataDir data;
    const RangeSet last = set_of({spec("255.255.255.0/24", "255.255.255.255", "255.255.255.255")});
    CHECK(add(data, last, "c1") == "255.255.255.255");
    del(data, "c1");
    CHECK(add(data, last, "c1") == "255.255.255.255");
    const RangeSet v6 = set_of({spec("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126")});
    CHECK(add(data, v6, "d1") == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
    CHECK(add(data, v6, "d2") == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    CHECK(message_of([&] { (void)add(data, v6, "d3"); }).starts_with("no IP addresses available"));
    const RangeSet none = set_of({spec("10.1.2.0/24", "10.1.2.1", "10.1.2.1")});
    CHECK(message_of([&] { (void)add(data, none, "e1"); }) ==
          "no IP addresses available in range set: 10.1.2.1-10.1.2.1");
}

TEST_CASE("allocation of a requested address") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/29")});
    const auto request = [&](std::string_view address, std::string_view id) {
        return message_of([&] { reserve_requested(*data.open(), set, {std::string(id), "eth0"}, ip(address)); });
    };
    CHECK(request("10.1.2.5", "c1") == "no error");
    CHECK(data.get("10.1.2.5") == "c1\r\neth0");
    CHECK(request("10.1.2.5", "c2") == "requested IP address 10.1.2.5 is not available in range set 10.1.2.1-10.1.2.6");
    CHECK(request("10.1.2.1", "c2") == "requested ip 10.1.2.1 is subnet's gateway");
    CHECK(request("10.1.2.6", "c1") == "no error"); // no duplicate check, as in the Go suite
    CHECK(data.open()->leases_of("c1\r\neth0") == std::vector{ip("10.1.2.5"), ip("10.1.2.6")});
}

TEST_CASE("store: files that others wrote are honoured at once") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/29")});
    CHECK(add(data, set, "c1") == "10.1.2.2");
    data.put("10.1.2.3", "go\r\neth0");
    data.put("10.1.2.4", "  old-style \n");
    CHECK(add(data, set, "c2") == "10.1.2.5");
    CHECK(data.open()->leases_of("go\r\neth0") == std::vector{ip("10.1.2.3")});
    CHECK(data.open()->leases_of("old-style") == std::vector{ip("10.1.2.4")});
    CHECK(message_of([&] { (void)add(data, set, "old-style"); }) ==
          "10.1.2.4 has been allocated to old-style, duplicate allocation is not allowed");

    data.remove("10.1.2.3");
    data.put("10.1.2.5", "go2\r\neth0"); // in place: the directory does not change
    CHECK(data.open()->leases_of("c2\r\neth0").empty());
    CHECK(add(data, set, "c3") == "10.1.2.6");
    CHECK(add(data, set, "c4") == "10.1.2.3");
}

TEST_CASE("store: the index is believed only while the directory is as it was left") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/24")});
    CHECK(add(data, set, "c1") == "10.1.2.2");
    const std::string index = data.path + "/.cnative/net.index";
    const auto inode = [&] {
        struct stat status {};
        REQUIRE(::stat(index.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
        return status.st_ino;
    };
    const auto before = inode();
    CHECK(add(data, set, "c2") == "10.1.2.3");
    CHECK(inode() == before); // changed in place
    data.put("10.1.2.9", "x");
    CHECK(add(data, set, "c3") == "10.1.2.4");
    CHECK(inode() != before); // made anew
}

TEST_CASE("store: a lost, damaged or impossible index costs a scan, never a lease") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/24")});
    const os::Fd root = os::open_dir(data.path);
    CHECK(add(data, set, "c1") == "10.1.2.2");
    const os::Fd dir = os::make_dir_at(root, ".cnative", 0700);
    const std::string good = os::read_file_at(dir, "net.index", 1 << 20).value();

    std::string bad = good; // header whole, tables damaged
    for (std::size_t at = 256; at < bad.size(); ++at)
        bad[at] = static_cast<char>(bad[at] ^ (at % 8 == 2 ? 0x10 : 0));
    const std::vector<std::string> contents = {"",  "garbage", bad, good.substr(0, 300), std::string(good.size(), 'x'),
                                               good};
    std::uint64_t n = 3;
    for (const std::string& content : contents) {
        os::rewrite_file_at(dir, "net.index", content, 0600);
        CHECK(add(data, set, os::cat("c", n)) == os::cat("10.1.2.", n));
        ++n;
        os::unlink_at(dir, "net.index");
        CHECK(add(data, set, os::cat("c", n)) == os::cat("10.1.2.", n));
        ++n;
    }
    os::unlink_at(dir, "net.index");
    REQUIRE(::rmdir((data.path + "/.cnative").c_str()) == 0);
    os::rewrite_file_at(root, ".cnative", "in the way", 0600);
    CHECK(add(data, set, os::cat("c", n)) == os::cat("10.1.2.", n));
    CHECK(data.open()->leases_of(os::cat("c", n, "\r\neth0")).size() == 1);
    os::unlink_at(root, ".cnative");
}

TEST_CASE("store: a torn lease is given up on exhaustion, and when it is asked for") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/29")});
    data.put("10.1.2.2", "");
    data.put("10.1.2.4", " \n");
    data.put("10.9.9.9", "");
    CHECK(add(data, set, "c1") == "10.1.2.3");
    CHECK(add(data, set, "c2") == "10.1.2.5");
    CHECK(add(data, set, "c3") == "10.1.2.6");
    reserve_requested(*data.open(), set, {"c4", "eth0"}, ip("10.1.2.4"));
    CHECK(data.get("10.1.2.4") == "c4\r\neth0");
    CHECK_FALSE(is_exhausted(*data.open(), set));
    CHECK(add(data, set, "c5") == "10.1.2.2");
    CHECK(is_exhausted(*data.open(), set));
    CHECK(message_of([&] { (void)add(data, set, "c6"); }).starts_with("no IP addresses available"));
    CHECK(data.get("10.9.9.9") == ""); // not of this set
}

TEST_CASE("store: leases of an earlier boot are given up on exhaustion, those of this boot never") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/29")});
    data.put("10.1.2.2", "old1\r\neth0");
    data.put("10.1.2.3", "old2\r\neth0");
    data.put("10.1.2.4", "new\r\neth0");
    pretend_reboot(data, {"old1", "10.1.2.2", "old2", "10.1.2.3"});
    CHECK(add(data, set, "c1") == "10.1.2.5");
    CHECK(add(data, set, "c2") == "10.1.2.6");
    CHECK(data.get("10.1.2.2") == "old1\r\neth0"); // not before there is need
    CHECK_FALSE(is_exhausted(*data.open(), set));

    data.remove("lock"); // a stranger's change: the marks outlive the rebuild
    CHECK(add(data, set, "c3") == "10.1.2.2");
    CHECK(add(data, set, "c4") == "10.1.2.3");
    CHECK(data.get("10.1.2.4") == "new\r\neth0");
    CHECK(message_of([&] { (void)add(data, set, "c5"); }).starts_with("no IP addresses available"));
}

TEST_CASE("store: a lease made again under the same name is of this boot") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/30")});
    data.put("10.1.2.2", "same\r\neth0");
    pretend_reboot(data, {"same", "10.1.2.2"});
    data.remove("10.1.2.2");
    ::usleep(20'000); // another tick of the kernel's clock
    data.put("10.1.2.2", "same\r\neth0");
    CHECK(message_of([&] { (void)add(data, set, "c1"); }).starts_with("no IP addresses available"));
    CHECK(data.get("10.1.2.2") == "same\r\neth0");
}

TEST_CASE("store: what is no lease file is neither read nor followed, but its address is taken") {
    const DataDir data;
    const RangeSet set = set_of({spec("10.1.2.0/29")});
    const os::Fd dir = data.network();
    REQUIRE(::symlinkat("/etc/passwd", dir.get(), "10.1.2.2") == 0);
    REQUIRE(::mkfifoat(dir.get(), "10.1.2.3", 0600) == 0);
    data.put("10.1.2.04", "c1\r\neth0");
    data.put("10.1.2.4.bak", "c1\r\neth0");
    data.put("10.1.2.5", std::string(200'000, 'x'));
    CHECK(add(data, set, "c1") == "10.1.2.4");
    CHECK(add(data, set, "c2") == "10.1.2.6");
    CHECK(add(data, set, "c3") == "10.1.2.5"); // no owner's name is that long: a torn lease
    CHECK(message_of([&] { (void)add(data, set, "c4"); }).starts_with("no IP addresses available"));
}

TEST_CASE("store: a network that was never used is not created by looking") {
    const DataDir data;
    CHECK(Store::open_existing(data.path, "net") == nullptr);
    CHECK(Store::open_existing(data.path + "/nowhere", "net") == nullptr);
    CHECK(::access((data.path + "/net").c_str(), F_OK) != 0);
}

TEST_CASE("store: names of lease files are the Go suite's") {
    CHECK(address_of("10.1.2.3") == ip("10.1.2.3"));
    CHECK(address_of("fd00::77") == ip("fd00::77"));
    for (const char* name :
         {"lock", "last_reserved_ip.0", "FD00::77", "fd00:0::77", "10.1.2.03", "::ffff:10.1.2.3", ""})
        CHECK_FALSE(address_of(name));
    CHECK(describe_owner("c1\r\neth0") == "c1 (eth0)");
    CHECK(describe_owner("c1") == "c1");
    CHECK(describe_owner("") == "nobody");
}

TEST_CASE("resolv.conf") {
    const cni::Dns dns =
        parse_resolv_conf("# comment\n; comment\n\nnameserver 192.0.2.1 ignored\n  nameserver\t192.0.2.2\n"
                          "nameserver\ndomain a.example\ndomain b.example\nsearch x.example y.example\n"
                          "search z.example\noptions ndots:2 timeout:3\r\nsortlist 1\n#nameserver 9.9.9.9");
    CHECK(dns.nameservers == std::vector<std::string>{"192.0.2.1", "192.0.2.2"});
    CHECK(dns.domain == "b.example");
    CHECK(dns.search == std::vector<std::string>{"x.example", "y.example", "z.example"});
    CHECK(dns.options == std::vector<std::string>{"ndots:2", "timeout:3"});
    CHECK(message_of([] { (void)read_resolv_conf("/nope"); }) == "open /nope: no such file or directory");
}

TEST_CASE("config: order of the range sets, and requested addresses adding up") {
    const Config config = read_config(call_with(R"({"cniVersion": "1.0.0", "name": "net",
        "runtimeConfig": {"ipRanges": [[{"subnet": "10.1.0.0/24"}]], "ips": ["10.2.0.5/24", "10.3.0.7"]},
        "args": {"cni": {"ips": ["10.1.0.9", "10.2.0.5"]}},
        "ipam": {"type": "host-local", "subnet": "10.2.0.0/24", "dataDir": "/data", "resolvConf": "/r",
                 "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "10.3.0.0/24", "gateway": ""}]]}})",
                                                "IP=fd00::5/64"));
    REQUIRE(config.sets.size() == 3);
    CHECK(config.sets[0].text() == "10.1.0.1-10.1.0.254");
    CHECK(config.sets[1].text() == "10.2.0.1-10.2.0.254");
    CHECK(config.sets[2].text() == "10.3.0.1-10.3.0.254");
    CHECK(config.requested == std::vector{ip("fd00::5"), ip("10.1.0.9"), ip("10.2.0.5"), ip("10.3.0.7")});
    CHECK(config.data_dir == "/data");
    CHECK(config.resolv_conf == "/r");
    CHECK(config.routes.size() == 1);
}

TEST_CASE("config: error texts") {
    CHECK(config_error(R"({"name": "net"})") == "IPAM config missing 'ipam' key");
    CHECK(config_error(R"({"name": "net", "ipam": null})") == "IPAM config missing 'ipam' key");
    CHECK(config_error(R"({"ipam": {}})") == "no IP ranges specified");
    CHECK(config_error(R"({"ipam": {"rangeStart": "10.1.2.3"}})") == "no IP ranges specified");
    CHECK(config_error(R"({"ipam": {"subnet": "foo"}})") == "invalid CIDR address: foo");
    CHECK(config_error(R"({"ipam": {"subnet": ""}})") == "invalid CIDR address: ");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24", "gateway": "foo"}})") == "invalid IP address: foo");
    CHECK(config_error(R"({"ipam": {"ranges": [[]]}})") == "invalid range set 0: empty range set");
    CHECK(config_error(R"({"ipam": {"ranges": [null]}})") == "invalid range set 0: empty range set");
    CHECK(config_error(R"({"ipam": {"ranges": [[{}]]}})") == "invalid range set 0: IP <nil> not v4 nor v6");
    CHECK(config_error(R"({"ipam": {"subnet": "::ffff:10.1.2.0/120"}})") ==
          "invalid range set 0: IPNet IP and Mask version mismatch");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24"}, "runtimeConfig": {"ips": [""]}})") ==
          "cannot understand ip: IP <nil> not v4 nor v6");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24"}, "args": {"cni": {"ips": ["10.1.2.4/99"]}}})") ==
          "invalid IP address 10.1.2.4/99");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24"}})", "IP=foo") ==
          "ARGS: error parsing value of pair \"IP=foo\": invalid IP address foo");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24"}})", "IP=") == "no error");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24"}})", "FOO=1") == "ARGS: unknown args [\"FOO=1\"]");
    CHECK(config_error(R"({"ipam": {"subnet": "10.1.2.0/24"}})", "FOO=1;IgnoreUnknown=1") == "no error");
    CHECK(config_error(R"({"ipam": {"subnet": 5}})").find("\"ipam.subnet\"") != std::string::npos);
}

TEST_CASE("config: DEL finds the data directory whatever else is wrong") {
    CHECK(data_dir_leniently(call_with(R"({"ipam": {"dataDir": "/data", "subnet": "foo"}})")) == "/data");
    CHECK(data_dir_leniently(call_with(R"({"ipam": {"dataDir": ""}})")) == "/var/lib/cni/networks");
    CHECK(data_dir_leniently(call_with(R"({"ipam": {"dataDir": 5}})")) == "/var/lib/cni/networks");
    CHECK(data_dir_leniently(call_with(R"({"ipam": 7})")) == "/var/lib/cni/networks");
    CHECK(data_dir_leniently(call_with(R"({})")) == "/var/lib/cni/networks");
}
