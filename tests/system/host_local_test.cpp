// SPDX-License-Identifier: Apache-2.0
// host-local by itself: addresses, files on disk, texts; and taking turns with the Go suite on one data dir.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

#include "invoke.h"
#include "world.h"

using namespace test;

namespace {

const std::string folder = "/var/lib/cni/networks/net/";

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

json config_of(const json& ipam, const std::string& version = "1.0.0") {
    json config = {{"cniVersion", version}, {"name", "net"}, {"type", "bridge"}, {"ipam", {{"type", "host-local"}}}};
    config["ipam"].update(ipam);
    return config;
}

json range(const json& keys) {
    return {{"ranges", {{keys}}}};
}

const json small = range({{"subnet", "10.1.2.0/29"}}); // .1 is the gateway, .2 to .6 are free

Call call_of(const std::string& command, const json& config, const std::string& id = "c1") {
    return {.plugin = "host-local", .command = command, .config = config, .id = id, .netns = "/not/looked/at"};
}

Answer add(const json& config, const std::string& id = "c1", const std::string& args = {}) {
    Call call = call_of("ADD", config, id);
    call.args = args;
    return invoke(call);
}

std::string address(const Answer& answer, std::size_t at = 0) {
    const json document = answer.document();
    return answer.ok() ? document["ips"][at]["address"].get<std::string>() : answer.out;
}

std::string content(const std::string& file) {
    std::ifstream in(folder + file);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& file, const std::string& text) {
    std::ofstream(folder + file) << text;
}

} // namespace

TEST_CASE("host-local: ADD answers with address, gateway and routes, and writes the Go suite's files") {
    World world;
    json ipam = {{"ranges", {{{{"subnet", "10.1.2.0/24"}}}, {{{"subnet", "2001:db8:1::0/64"}}}}},
                 {"routes", {{{"dst", "0.0.0.0/0"}}, {{"dst", "::/0"}, {"gw", "2001:db8:1::9"}}}}};
    const Answer answer = add(config_of(ipam));
    CHECK(answer.document() == json({{"cniVersion", "1.0.0"},
                                     {"ips",
                                      {{{"address", "10.1.2.2/24"}, {"gateway", "10.1.2.1"}},
                                       {{"address", "2001:db8:1::2/64"}, {"gateway", "2001:db8:1::1"}}}},
                                     {"routes", ipam["routes"]}}));
    CHECK(content("10.1.2.2") == "c1\r\neth0");
    CHECK(content("2001:db8:1::2") == "c1\r\neth0");
    CHECK(content("last_reserved_ip.0") == "10.1.2.2");
    CHECK(content("last_reserved_ip.1") == "2001:db8:1::2");
    CHECK(invoke(call_of("CHECK", config_of(ipam))).ok());
    CHECK(invoke(call_of("DEL", config_of(ipam))).ok());
    CHECK(leases("net").empty());
    CHECK(content("last_reserved_ip.0") == "10.1.2.2");
}

TEST_CASE("host-local: the old form with one subnet") {
    World world;
    CHECK(address(add(config_of({{"subnet", "10.1.2.0/24"}, {"rangeStart", "10.1.2.20"}, {"gateway", "10.1.2.9"}}))) ==
          "10.1.2.20/24");
}

TEST_CASE("host-local: round robin goes on after the last address, and comes back") {
    World world;
    for (const std::string expected : {"2", "3", "4", "5", "6", "2"}) {
        CHECK(address(add(config_of(small))) == "10.1.2." + expected + "/29");
        CHECK(invoke(call_of("DEL", config_of(small))).ok());
    }
}

TEST_CASE("host-local: an exhausted range is told in the Go suite's words, with the facts on stderr") {
    World world;
    for (int i = 0; i < 5; ++i)
        REQUIRE(add(config_of(small), "c" + std::to_string(i)).ok());
    const Answer answer = add(config_of(small), "late");
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "failed to allocate for range 0: no IP addresses available in range set: 10.1.2.1-10.1.2.6");
    CHECK_MESSAGE(contains(answer.err, "holds 5 leases"), answer.err);
}

TEST_CASE("host-local: a second ADD of the same interface is refused, another interface is not") {
    World world;
    REQUIRE(add(config_of(small)).ok());
    CHECK(add(config_of(small)).msg() == "failed to allocate for range 0: 10.1.2.2 has been allocated to c1, duplicate "
                                         "allocation is not allowed");
    Call other = call_of("ADD", config_of(small));
    other.ifname = "eth1";
    CHECK(address(invoke(other)) == "10.1.2.3/29");
    CHECK(invoke(call_of("DEL", config_of(small))).ok());
    CHECK(leases("net") == std::vector<std::string>{"10.1.2.3"});
}

TEST_CASE("host-local: requested addresses by CNI_ARGS, args and runtimeConfig") {
    World world;
    CHECK(address(add(config_of(small), "c1", "IP=10.1.2.5")) == "10.1.2.5/29");
    json by_args = config_of(small);
    by_args["args"] = {{"cni", {{"ips", {"10.1.2.4/29"}}}}};
    CHECK(address(add(by_args, "c2")) == "10.1.2.4/29");
    json by_runtime = config_of(small);
    by_runtime["runtimeConfig"] = {{"ips", {"10.1.2.3"}}};
    CHECK(address(add(by_runtime, "c3")) == "10.1.2.3/29");
}

TEST_CASE("host-local: a requested address that is taken, the gateway, or outside") {
    World world;
    REQUIRE(add(config_of(small), "c1", "IP=10.1.2.5").ok());
    const Answer taken = add(config_of(small), "c2", "IP=10.1.2.5");
    CHECK(taken.msg() == "failed to allocate for range 0: requested IP address 10.1.2.5 is not available in range set "
                         "10.1.2.1-10.1.2.6");
    CHECK(add(config_of(small), "c2", "IP=10.1.2.1").msg() ==
          "failed to allocate for range 0: requested ip 10.1.2.1 is subnet's gateway");
    CHECK(add(config_of(small), "c2", "IP=10.9.9.9").msg() == "failed to allocate all requested IPs: 10.9.9.9");
    CHECK(leases("net") == std::vector<std::string>{"10.1.2.5"});
}

TEST_CASE("host-local: who holds a requested address is told on stderr") {
    World world;
    REQUIRE(add(config_of(small), "c1", "IP=10.1.2.5").ok());
    CHECK(contains(add(config_of(small), "c2", "IP=10.1.2.5").err, "held by c1 (eth0)"));
}

TEST_CASE("host-local: runtimeConfig.ipRanges come first") {
    World world;
    json config = config_of(small);
    config["runtimeConfig"] = {{"ipRanges", {{{{"subnet", "10.7.0.0/24"}}}}}};
    const Answer answer = add(config);
    CHECK(address(answer, 0) == "10.7.0.2/24");
    CHECK(address(answer, 1) == "10.1.2.2/29");
}

TEST_CASE("host-local: a failing later range set gives the earlier address back") {
    World world;
    json two = {{"ranges", {{{{"subnet", "10.7.0.0/24"}}}, {{{"subnet", "10.1.2.0/30"}}}}}};
    REQUIRE(add(config_of(two), "c1").ok());
    const Answer answer = add(config_of(two), "c2");
    CHECK(answer.msg() == "failed to allocate for range 1: no IP addresses available in range set: 10.1.2.1-10.1.2.2");
    CHECK(leases("net") == std::vector<std::string>{"10.1.2.2", "10.7.0.2"});
}

TEST_CASE("host-local: wrong ranges are refused in the Go suite's words") {
    World world;
    const auto refusal = [](const json& ipam) { return add(config_of(ipam)).msg(); };
    CHECK(refusal(json::object()) == "no IP ranges specified");
    CHECK(refusal(range({{"subnet", "10.1.2.0/31"}})) ==
          "invalid range set 0: Network 10.1.2.0/31 too small to allocate from");
    CHECK(refusal(range({{"subnet", "10.1.2.3/24"}})) ==
          "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is "
          "10.1.2.0");
    CHECK(refusal(range({{"subnet", "10.1.2.0/24"}, {"rangeStart", "10.1.3.1"}})) ==
          "invalid range set 0: RangeStart 10.1.3.1 not in network 10.1.2.0/24");
    CHECK(refusal({{"ranges", {{{{"subnet", "10.1.2.0/24"}}, {{"subnet", "fd00::/64"}}}}}}) ==
          "invalid range set 0: mixed address families");
    CHECK(refusal({{"ranges", {{{{"subnet", "10.1.2.0/24"}}}, {{{"subnet", "10.1.2.0/24"}}}}}}) ==
          "range set 0 overlaps with 1");
}

TEST_CASE("host-local: resolvConf becomes the result's dns") {
    World world;
    std::ofstream("/run/resolv.conf")
        << "# a comment\nnameserver 192.0.2.3\nsearch a.example b.example\noptions ndots:2\n";
    json ipam = small;
    ipam["resolvConf"] = "/run/resolv.conf";
    CHECK(add(config_of(ipam)).document()["dns"] ==
          json({{"nameservers", {"192.0.2.3"}}, {"search", {"a.example", "b.example"}}, {"options", {"ndots:2"}}}));
    ipam["resolvConf"] = "/dev/null";
    const Answer none = add(config_of(ipam), "c3");
    REQUIRE_MESSAGE(none.ok(), none.out);
    CHECK(none.document().value("dns", json::object()).empty());
    ipam["resolvConf"] = "/nope";
    CHECK(add(config_of(ipam), "c2").msg() == "open /nope: no such file or directory");
}

TEST_CASE("host-local: another data dir") {
    World world;
    json ipam = small;
    ipam["dataDir"] = "/run/leases";
    REQUIRE(add(config_of(ipam)).ok());
    CHECK(leases("net", "/run/leases") == std::vector<std::string>{"10.1.2.2"});
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: CHECK without a lease") {
    World world;
    REQUIRE(add(config_of(small)).ok());
    CHECK(invoke(call_of("CHECK", config_of(small), "c9")).msg() ==
          "host-local: Failed to find address added by container c9");
}

TEST_CASE("host-local: DEL honours lease files of the older form") {
    World world;
    std::filesystem::create_directories(folder);
    write("10.1.2.4", "c1");
    CHECK(invoke(call_of("DEL", config_of(small))).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: DEL needs no readable config") {
    World world;
    REQUIRE(add(config_of(small)).ok());
    json broken = config_of({{"ranges", "broken"}, {"routes", 7}});
    Call call = call_of("DEL", broken);
    call.args = "no pairs";
    CHECK(invoke(call).ok());
    CHECK(leases("net").empty());
}

TEST_CASE("host-local: a torn lease file gives way when the range is full") {
    World world;
    for (int i = 0; i < 4; ++i)
        REQUIRE(add(config_of(small), "c" + std::to_string(i)).ok());
    write("10.1.2.6", "");
    CHECK(address(add(config_of(small), "late")) == "10.1.2.6/29");
}

TEST_CASE("host-local: leases of an earlier boot give way when the range is full, those of this boot never") {
    World world;
    const auto boot = [](const std::string& id) {
        sh("echo " + id + " > /run/boot_id; mount --bind /run/boot_id /proc/sys/kernel/random/boot_id");
    };
    boot("aaaaaaaa-0000-4000-8000-000000000001");
    for (int i = 0; i < 4; ++i)
        REQUIRE(add(config_of(small), "old" + std::to_string(i)).ok());
    boot("bbbbbbbb-0000-4000-8000-000000000002");
    REQUIRE(address(add(config_of(small), "new")) == "10.1.2.6/29");
    CHECK(address(add(config_of(small), "late")) == "10.1.2.2/29");
    CHECK(content("10.1.2.6") == "new\r\neth0");
}

TEST_CASE("host-local: GC removes what is not valid, and keeps what is") {
    World world;
    json config = config_of(small, "1.1.0");
    for (const std::string id : {"keep", "go", "gone"})
        REQUIRE(add(config, id).ok());
    config["cni.dev/valid-attachments"] = {{{"containerID", "keep"}, {"ifname", "eth0"}}};
    CHECK(invoke({.plugin = "host-local", .command = "GC", .config = config, .id = "", .ifname = ""}).ok());
    CHECK(leases("net") == std::vector<std::string>{"10.1.2.2"});
}

TEST_CASE("host-local: a lease file that is a link is not followed") {
    World world;
    std::filesystem::create_directories(folder);
    std::ofstream("/run/victim") << "c1\r\neth0";
    std::filesystem::create_symlink("/run/victim", folder + "10.1.2.2");
    CHECK(address(add(config_of(small))) == "10.1.2.3/29");
    CHECK(invoke(call_of("DEL", config_of(small))).ok());
    CHECK(std::filesystem::exists("/run/victim"));
}

TEST_CASE("host-local: a lost or damaged index costs nothing but a scan") {
    World world;
    REQUIRE(add(config_of(small), "c1").ok());
    for (const std::string damage : {"rm -r", "echo garbage >", "truncate -s 100"}) {
        CAPTURE(damage);
        if (works("test -e /var/lib/cni/networks/.cnative/net.index"))
            sh(damage + " /var/lib/cni/networks/.cnative/net.index");
        CHECK(contains(add(config_of(small), "c1").msg(), "duplicate allocation"));
        const Answer answer = add(config_of(small), "c2");
        CHECK_MESSAGE(answer.ok(), answer.out);
        CHECK(invoke(call_of("DEL", config_of(small), "c2")).ok());
    }
}

TEST_CASE("host-local: a data dir that cannot be written is named") {
    World world;
    sh("mount -t tmpfs -o ro tmpfs /var/lib/cni");
    const Answer answer = add(config_of(small));
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "/var/lib/cni"), answer.out);
    CHECK_MESSAGE(contains(answer.msg(), "read-only file system"), answer.out);
}

TEST_CASE("host-local: 30 ADDs at once get 30 addresses") {
    World world;
    const json config = config_of(range({{"subnet", "10.1.2.0/24"}}));
    std::ofstream("/run/config") << config.dump();
    const std::string one = "CNI_COMMAND=ADD CNI_CONTAINERID=p$i CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/x " +
                            bin_dir() + "/host-local < /run/config > /run/out.$i";
    sh("for i in $(seq 30); do " + one + " & done; wait");
    CHECK(leases("net").size() == 30);
    CHECK(sh("cat /run/out.* | grep -c '\"address\"'") == "30\n");
    CHECK(sh("cat /run/out.* | grep '\"address\"' | sort -u | wc -l") == "30\n");
}

TEST_CASE("host-local: the Go suite and ours take turns on one data dir") {
    World world;
    const std::string go = go_dir() + "/host-local";
    if (access(go.c_str(), X_OK) != 0)
        SKIP_CASE("there is no " + go);
    std::ofstream("/run/config") << config_of(small).dump();
    const auto by_go = [&](const std::string& command, const std::string& id) {
        return sh("CNI_COMMAND=" + command + " CNI_CONTAINERID=" + id + " CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/x " +
                  go + " < /run/config");
    };
    CHECK(address(add(config_of(small), "a")) == "10.1.2.2/29");
    CHECK(contains(by_go("ADD", "b"), "10.1.2.3/29"));
    CHECK(address(add(config_of(small), "c")) == "10.1.2.4/29");
    CHECK(contains(add(config_of(small), "b").msg(), "10.1.2.3 has been allocated to b, duplicate"));
    by_go("DEL", "a");
    CHECK(invoke(call_of("DEL", config_of(small), "b")).ok());
    CHECK(leases("net") == std::vector<std::string>{"10.1.2.4"});
    CHECK(contains(by_go("ADD", "d"), "10.1.2.5/29"));
    CHECK(address(add(config_of(small), "e")) == "10.1.2.6/29");
    CHECK(address(add(config_of(small), "f")) == "10.1.2.2/29");
}
