// SPDX-License-Identifier: Apache-2.0
// portmap: an ADD of an attachment that is there already, with other mappings, and what becomes of the old ones when it
// comes to no end.
#include <doctest/doctest.h>

#include <csignal>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

/// One ADD's part of a config: address, mappings, more keys.
struct Asked {
    int address = 7;
    json mappings;
    json keys = json::object();

    [[nodiscard]] Call call(const std::string& command) const {
        const std::string last = std::to_string(address);
        json config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "portmap"}, {"runtimeConfig", mappings}};
        config["prevResult"] = {{"cniVersion", "1.0.0"},
                                {"interfaces", {{{"name", "eth0"}, {"sandbox", "/run/netns/c1"}}}},
                                {"ips",
                                 {{{"address", "192.0.2." + last + "/24"}, {"interface", 0}},
                                  {{"address", "2001:db8::" + last + "/64"}, {"interface", 0}}}}};
        config.update(keys);
        return {.plugin = "portmap", .command = command, .config = config, .netns = "/run/netns/c1"};
    }
};

struct Change {
    std::string what;
    Asked before, after;
};

std::vector<Change> changes() {
    const json kept = mapping(9000, 90), old = mapping(8080, 80), local = mapping(53, 53, "udp", "127.0.0.1");
    const json conditions = {{"conditionsV4", {"!", "-s", "192.0.2.99/32"}}};
    json range = mapping(8000, 8000);
    range["hostPortEnd"] = 8010;
    return {
        {"another port", {.mappings = ports({kept, old})}, {.mappings = ports({kept, mapping(8081, 80)})}},
        {"fewer ports", {.mappings = ports({kept, old, local})}, {.mappings = ports({kept})}},
        {"conditions dropped", {.mappings = ports({kept, old}), .keys = conditions}, {.mappings = ports({kept, old})}},
        {"another address", {.mappings = ports({kept, local})}, {.address = 8, .mappings = ports({kept, local})}},
        {"a range dropped", {.mappings = ports({kept, range})}, {.mappings = ports({kept, mapping(8005, 80)})}}};
}

/// The container's elements, a line each.
std::string elements() {
    return sh(
        "nft list ruleset | grep -o '[^{,]*\"net/c1/eth0[^,}]*' | sed 's/elements = //; s/^[ \t]*//; s/ *$//' | sort");
}

/// Those of an ADD on a host that has none.
std::string made_by(const Asked& asked) {
    sh("nft flush ruleset");
    REQUIRE(invoke(asked.call("ADD")).ok());
    return elements();
}

/// The second ADD; its call of this name and number goes wrong.
Answer second_add(const Change& change, const std::string& call, int number, const std::string& fault) {
    (void)made_by(change.before);
    Call add = change.after.call("ADD");
    add.wrapper = {FAILAT, "--call", call, std::to_string(number), fault};
    return invoke(add);
}

} // namespace

// The new record was there before the old elements had gone: DEL believed it, and left them.
TEST_CASE("portmap: a second ADD changes the mappings in one step, and DEL leaves nothing of it, killed wherever") {
    World world;
    world.outside();
    world.netns("c1");
    for (const Change& change : changes()) {
        CAPTURE(change.what);
        const std::string before = made_by(change.before), after = made_by(change.after);
        REQUIRE(contains(before, "tcp . 9000 "));
        REQUIRE(contains(after, "tcp . 9000 "));
        int number = 1, killed = 0;
        for (;; ++number) {
            CAPTURE(number);
            const Answer answer = second_add(change, "sendto", number, "KILL"); // by nothing else the ruleset changes
            const std::string now = elements();
            REQUIRE((now == after || (!answer.ok() && now == before)));
            const bool told_of_new = number % 2 == 0; // or of those before
            REQUIRE(invoke((told_of_new ? change.after : change.before).call("DEL")).ok());
            REQUIRE(elements() == "");
            if (answer.ok())
                break;
            REQUIRE(answer.status == 128 + SIGKILL);
            ++killed;
        }
        CHECK(killed > 20);
    }
}

TEST_CASE("portmap: a second ADD with other mappings that fails leaves neither these nor the old ones") {
    World world;
    world.outside();
    world.netns("c1");
    for (const Change& change : changes()) {
        CAPTURE(change.what);
        int failed = 0;
        for (const std::string call : {"sendto", "recvmsg"}) {
            CAPTURE(call);
            for (int number = 1, in_a_row = 0; in_a_row < 4; number += 2) {
                CAPTURE(number);
                const Answer answer = second_add(change, call, number, "ENOBUFS");
                in_a_row = answer.ok() ? in_a_row + 1 : 0;
                if (answer.ok())
                    continue;
                ++failed;
                REQUIRE(answer.status == 1);
                REQUIRE(elements() == "");
            }
        }
        CHECK(failed > 3);
    }
}
