// SPDX-License-Identifier: Apache-2.0
// What the error sweep (tests/fault/error-sweep.sh) has found, and a SIGTERM at moments all over an ADD: it works, or
// it is one error document and nothing is left, without a DEL.
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <map>

#include "bandwidth_call.h"

using namespace test;

namespace {

struct Fault {
    std::string number, call, kind;
    int nth = 0; ///< of the calls of this name

    [[nodiscard]] std::vector<std::string> wrapper() const {
        if (kind == "TERM")
            return {"timeout", "30", FAILAT, number, kind};
        return {"timeout", "30", FAILAT, "--call", call, std::to_string(nth), kind};
    }
};

/// What may go wrong in a call, from the start of main() on: before its first fcntl() nobody is there to answer.
std::vector<Fault> faults_of(Call call) {
    call.wrapper = {FAILAT, "list", "/run/faults"};
    REQUIRE(invoke(call).ok());
    std::ifstream list("/run/faults");
    std::vector<Fault> faults;
    std::map<std::string, int> count;
    std::string last;
    for (Fault fault; list >> fault.number >> fault.call >> fault.kind;) {
        fault.nth = count[fault.call] += last == fault.number ? 0 : 1;
        last = fault.number;
        if (!faults.empty() || fault.call == "fcntl")
            faults.push_back(fault);
    }
    REQUIRE(!faults.empty());
    return faults;
}

/// The state of the host, without what an ADD makes for all containers and what the kernel counts.
std::string host() {
    return sh("ip -o link show type veth; ip -o link show type ifb; tc qdisc show | grep -v noqueue || true; "
              "nft list ruleset | grep net/c1 || true; find /run/cni -type f 2>/dev/null || true; "
              "ip -n c1 -o link show | grep eth0 || true") +
           json(leases("net")).dump();
}

json chain_config() {
    return bridge_config({{"ipMasq", true}, {"macspoofchk", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}});
}

/// Each of an ADD's faults that is asked for.
void try_faults(const Call& add, const std::function<bool(const Fault&)>& is_asked_for) {
    const auto del = [&add] {
        Call call = add;
        call.command = "DEL";
        CHECK(invoke(call).ok());
        // bandwidth leaves to the veth's end what is on it
        sh("for d in $(ip -br link show type veth | cut -d@ -f1); do tc qdisc del dev $d root; tc qdisc del dev $d "
           "ingress; done 2>/dev/null; true");
    };
    const std::vector<Fault> faults = faults_of(add);
    del();
    const std::string before = host();
    int tried = 0;
    for (const Fault& fault : faults) {
        if (!is_asked_for(fault))
            continue;
        ++tried;
        CAPTURE(fault.number);
        CAPTURE(fault.call);
        CAPTURE(fault.kind);
        Call call = add;
        call.wrapper = fault.wrapper();
        const Answer answer = invoke(call);
        REQUIRE_MESSAGE(answer.status <= 1, answer.err);
        if (answer.ok()) {
            del();
        } else {
            REQUIRE(answer.code() > 0);
            REQUIRE(!answer.msg().empty());
        }
        REQUIRE(host() == before); // one failure is enough: what is left would fail all that follow
    }
    CHECK(tried > 0);
}

/// How many calls an ADD makes after its result is on stdout, without a sanitizer's own when all is done: the mark is
/// sent, and the next thing is to map memory or to open a file.
int calls_after_result(Call call) {
    call.wrapper = {FAILAT, "--after-result", "list", "/run/faults"};
    REQUIRE(invoke(call).ok());
    std::ifstream list("/run/faults");
    int calls = 0;
    bool sent = false;
    for (Fault fault; list >> fault.number >> fault.call >> fault.kind;) {
        sent = sent || fault.call == "sendto";
        if (sent && (fault.call == "mmap" || fault.call == "openat"))
            break;
        calls = std::stoi(fault.number);
    }
    return calls;
}

Call of_bridge() {
    return {.plugin = "bridge", .config = chain_config(), .netns = "/run/netns/c1"};
}

} // namespace

// The kernel had made the veth pair, and its answer was lost: the pair stayed.
TEST_CASE("fault: an answer of rtnetlink that is lost leaves no veth pair") {
    World world;
    world.netns("c1");
    try_faults(of_bridge(), [](const Fault& fault) {
        return fault.call.starts_with("recv") && (fault.kind == "ENOBUFS" || fault.kind == "intr");
    });
}

// The part that had come was taken for the whole, and what was left out stayed, without a word.
TEST_CASE("fault: a listing of nf_tables that breaks off is told, and the next GC does the rest") {
    World world;
    world.netns("c1");
    Call call = of_bridge();
    call.config["cniVersion"] = "1.1.0";
    REQUIRE(invoke(call).ok());
    call.command = "GC";
    call.config["cni.dev/valid-attachments"] = json::array();
    call.id = call.netns = call.ifname = "";
    std::vector<std::string> told;
    for (int part = 1; part <= 8; ++part) { // libmnl receives by recvmsg
        call.wrapper = {FAILAT, "--call", "recvmsg", std::to_string(part), "broken"};
        if (const Answer answer = invoke(call); !answer.ok())
            told.push_back(answer.msg());
    }
    CHECK_MESSAGE(!told.empty(), "no GC told of it");
    for (const std::string& message : told)
        CHECK_MESSAGE(contains(message, "list set "), message);
    call.wrapper.clear();
    CHECK(invoke(call).ok());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
}

// Was taken for a crash.
TEST_CASE("fault: a change of namespace that fails once is told, or tried again") {
    World world;
    world.netns("c1");
    try_faults(of_bridge(), [](const Fault& fault) { return fault.call == "setns"; });
}

// Its rest was lost: 5 in the place of 500.
TEST_CASE("fault: a sysctl's value of which less is taken at first is written whole") {
    World world;
    const std::string c1 = world.netns("c1");
    Call call = call_of("tuning", "ADD", {{"sysctl", {{"net.core.somaxconn", "500"}}}});
    for (const Fault& fault : faults_of(call)) {
        if (fault.kind != "short")
            continue;
        sh("echo 128 > /proc/sys/net/core/somaxconn", c1);
        call.wrapper = fault.wrapper();
        REQUIRE(invoke(call).ok());
        CHECK(sysctl("core/somaxconn", c1) == "500");
    }
}

// What it could not read it took for nothing to restore.
TEST_CASE("fault: tuning's DEL restores though something fails once, or tells, and the next one restores") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("ip link add eth0 type veth peer name other", c1);
    const json attributes = {{"mtu", 1400}, {"promisc", true}};
    const std::string before = sh("ip -o link show", c1);
    const Call add = call_of("tuning", "ADD", attributes), del = call_of("tuning", "DEL", attributes);
    REQUIRE(invoke(add).ok());
    std::vector<Fault> faults = faults_of(del);
    while (!faults.empty() &&
           faults.back().call != "unlinkat") // after its last deed; a sanitizer has a look around there
        faults.pop_back();
    REQUIRE(!faults.empty());
    for (const Fault& fault : faults) {
        if (fault.kind == "TERM" || !(fault.call == "openat" || fault.call == "newfstatat" || fault.call == "read"))
            continue;
        CAPTURE(fault.call);
        CAPTURE(fault.nth);
        CAPTURE(fault.kind);
        REQUIRE(invoke(add).ok());
        Call call = del;
        call.wrapper = fault.wrapper();
        const Answer answer = invoke(call);
        REQUIRE(answer.status <= 1);
        if (!answer.ok()) {
            CHECK(!answer.msg().empty());
            REQUIRE(invoke(del).ok());
        }
        REQUIRE(sh("ip -o link show", c1) == before);
        REQUIRE(sh("find /run/cni -type f").empty());
    }
}

// In its first moments it ended the plugin without a word.
TEST_CASE("fault: SIGTERM from the first moments of an ADD on is answered") {
    World world;
    world.netns("c1");
    int first = 40;
    try_faults(of_bridge(), [&](const Fault& fault) { return fault.kind == "TERM" && first-- > 0; });
}

TEST_CASE("fault: SIGTERM at any moment of a chain's ADD is answered, and nothing is left") {
    World world;
    world.netns("c1");
    sh("iptables -P FORWARD DROP");
    json result = added(chain_config());
    for (json config : behind_bridge("same-bridge")) {
        const std::string plugin = config["type"];
        CAPTURE(plugin);
        config["prevResult"] = result;
        int number = 0;
        try_faults({.plugin = plugin, .config = config, .netns = "/run/netns/c1"},
                   [&](const Fault& fault) { return fault.kind == "TERM" && number++ % 3 == 0; });
    }
}

// The mark that the endpoint is complete was followed by calls: killed in one of these, the ADD was done for the plugin
// and had failed for the runtime.
TEST_CASE("fault: an ADD killed after its result has been written works again without a DEL") {
    World world;
    with_veth(world);
    world.netns("c2");
    Call bridge = of_bridge();
    bridge.id = "c2", bridge.netns = "/run/netns/c2";
    for (Call call : {bridge, bandwidth("ADD")}) {
        CAPTURE(call.plugin);
        const auto remove = [call] {
            Call del = call;
            del.command = "DEL";
            REQUIRE(invoke(del).ok());
        };
        const int calls = calls_after_result(call);
        CHECK(calls > 0); // the mark at least
        for (int number = 1; number <= calls; ++number) {
            CAPTURE(number);
            remove();
            call.wrapper = {FAILAT, "--after-result", std::to_string(number), "KILL"};
            const Answer first = invoke(call);
            call.wrapper.clear();
            CHECK(!first.out.empty());
            if (first.ok())
                break; // it ends, and has made all its calls
            REQUIRE(first.status == 128 + SIGKILL);
            const Answer second = invoke(call);
            REQUIRE_MESSAGE(second.ok(), second.out);
        }
        remove();
    }
}
