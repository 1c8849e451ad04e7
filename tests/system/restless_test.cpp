// SPDX-License-Identifier: Apache-2.0
// A ruleset that others change all the time, between every look of ours and what we make of it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <future>

#include <unistd.h>

#include "firewall_call.h"
#include "portmap_call.h"

using namespace test;

namespace {

int count(const std::string& text, const std::string& part) {
    int times = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at)
        ++times;
    return times;
}

/// A call so slow that the ruleset is another one whenever it has looked. Its requests are lines of a file.
class SlowCall {
  public:
    explicit SlowCall(Call call, const std::string& microseconds = "50000") : trace_("/run/trace-" + call.id) {
        call.wrapper = {"strace", "-qq",          "-o", trace_,
                        "-e",     "trace=sendto", "-e", "inject=sendto:delay_enter=" + microseconds};
        answer_ = std::async(std::launch::async, [call] { return invoke(call); });
    }
    /// Or is about to: the last one waits before it is sent. True of one that has ended.
    [[nodiscard]] bool has_sent(int times, const std::string& request = "sendto(") const {
        std::ifstream file(trace_);
        const std::string trace{std::istreambuf_iterator<char>(file), {}};
        return count(trace, request) >= times || answer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }
    Answer answer() { return answer_.get(); }

  private:
    std::string trace_;
    std::future<Answer> answer_;
};

/// Another program's table, changed every millisecond or two, by one process: to start one may take longer than a look.
class Restless {
  public:
    Restless() {
        sh("nft 'add table ip busy; add set ip busy s { type mark; }'");
        REQUIRE(nft_ != nullptr);
        change();
    }
    Restless(const Restless&) = delete;
    Restless& operator=(const Restless&) = delete;
    ~Restless() { pclose(nft_); }

    /// Until each of them has sent so many requests, or has ended.
    void last(const std::vector<SlowCall>& calls, int requests) {
        while (std::ranges::any_of(calls, [&](const SlowCall& call) { return !call.has_sent(requests); }))
            change();
    }

  private:
    void change() {
        (void)fputs("add element ip busy s { 1 }\ndelete element ip busy s { 1 }\n", nft_);
        (void)fflush(nft_);
        usleep(1000);
    }
    FILE* nft_ = popen("nft -i >/dev/null 2>&1", "we");
};

} // namespace

// After five looks each of them made what was missing, whoever had made it meanwhile.
TEST_CASE("restless ruleset: ADDs at once that miss firewall's rules in FORWARD bring them once") {
    World world;
    drop_forwarded();
    REQUIRE(firewall("ADD", firewall_config(), "c1").ok()); // the shared table is there
    sh("iptables -F; iptables -X");
    Restless ruleset;
    std::vector<SlowCall> adds;
    for (const std::string id : {"c2", "c3", "c4"}) {
        json config = firewall_config();
        config["prevResult"]["ips"] = {{{"address", "10.9.0." + id.substr(1) + "/24"}, {"interface", 2}}};
        adds.emplace_back(Call{.plugin = "firewall", .config = config, .id = id, .netns = "/run/netns/" + id});
    }
    ruleset.last(adds, 60); // seven, and then five a look
    for (SlowCall& add : adds) {
        const Answer answer = add.answer();
        CHECK_MESSAGE(answer.ok(), answer.out);
    }
    const std::string rules = sh("iptables -S");
    CHECK_MESSAGE(count(rules, "-j CNI-FORWARD") == 1, rules);
    CHECK_MESSAGE(count(rules, "-j CNI-ADMIN") == 1, rules);
    CHECK_MESSAGE(count(rules, "-j ACCEPT") == 1, rules);
}

// A range of ports has to be looked for and made in one ruleset. Nine that were not to be had, and what was in the way
// after them ended the ADD: "file exists".
TEST_CASE("restless ruleset: ADD of a range of ports goes on when it meets what an earlier ADD left") {
    World world;
    world.netns("c1");
    const json mappings = {mapping(8080, 80),
                           {{"hostPort", 9000}, {"hostPortEnd", 9005}, {"containerPort", 9000}, {"protocol", "tcp"}}};
    Network network(bridge_portmap_list());
    const Answer first = network.add("c1", {{"portMappings", mappings}});
    REQUIRE_MESSAGE(first.ok(), first.out);
    Restless ruleset;
    std::vector<SlowCall> again;
    again.emplace_back(Call{.plugin = "portmap",
                            .config = network.config(1, first.document(), {{"portMappings", mappings}}),
                            .netns = "/run/netns/c1"});
    ruleset.last(again, 160); // twelve a look
    const Answer second = again[0].answer();
    CHECK_MESSAGE(second.ok(), second.out);
    CHECK(network.check("c1", {{"portMappings", mappings}}).ok());
}

// At the fifth look it went without asking again whether what it had found was still its own.
TEST_CASE("restless ruleset: DEL leaves an address to the container that is given it meanwhile") {
    World world;
    json config = firewall_config();
    config["prevResult"]["ips"].erase(1); // IPv4 alone
    REQUIRE(firewall("ADD", config, "c1").ok());
    Restless ruleset;
    std::vector<SlowCall> del;
    del.emplace_back(Call{.plugin = "firewall", .command = "DEL", .config = config, .netns = "/run/netns/c1"},
                     "300000");
    ruleset.last(del, 24); // five, four times four, and the look
    const Answer taken_over = firewall("ADD", config, "c2");
    CHECK_MESSAGE(taken_over.ok(), taken_over.out);
    const Answer deleted = del[0].answer();
    CHECK_MESSAGE(deleted.ok(), deleted.out);
    const Answer checked = firewall("CHECK", config, "c2");
    CHECK_MESSAGE(checked.ok(), checked.out);
}

// It went on waiting behind nobody: the port was closed, and what marked the other network as waited for stayed for
// good.
TEST_CASE("restless ruleset: flushed when a container's second network is about to wait for the first") {
    World world;
    json one = {{"cniVersion", "1.0.0"},
                {"name", "one"},
                {"type", "portmap"},
                {"runtimeConfig", ports({mapping(8080, 80)})},
                {"prevResult", firewall_config()["prevResult"]}};
    json two = one;
    two["name"] = "two";
    const auto portmap = [](const std::string& command, const json& config) {
        return Call{.plugin = "portmap", .command = command, .config = config, .netns = "/run/netns/c1"};
    };
    REQUIRE(invoke(portmap("ADD", one)).ok());
    SlowCall add(portmap("ADD", two), "300000");
    REQUIRE(eventually([&] { return add.has_sent(2, "BATCH_BEGIN"); }, std::chrono::seconds(60)));
    sh("nft flush ruleset");
    const Answer added = add.answer();
    CHECK_MESSAGE(added.ok(), added.out);
    CHECK(contains(sh("nft list map inet cnative hostports4"), "two/c1/eth0"));
    CHECK(invoke(portmap("DEL", one)).ok());
    CHECK(invoke(portmap("DEL", two)).ok());
    const std::string left = sh("nft list ruleset");
    CHECK_MESSAGE(!contains(left, "/c1/eth0"), left);
}
