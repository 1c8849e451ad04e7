// SPDX-License-Identifier: Apache-2.0
// What could make a call wait for ever. The waits that take their time are in tests/fault/waiting.sh.
#include <doctest/doctest.h>

#include "host_local_call.h"

using namespace test;

TEST_CASE("waiting: a FIFO in the place of the lock holds nobody") { // it was opened, waiting for a writer
    World world;
    sh("mkdir -p " + net_dir + "; mkfifo " + net_dir + "/lock");
    for (const std::string command : {"ADD", "CHECK", "DEL"}) {
        CAPTURE(command);
        Call call = hl_call(command, small_pool());
        call.wrapper = {"timeout", "-s", "KILL", "5"};
        const Answer answer = invoke(call);
        CHECK_MESSAGE((answer.ok() || answer.code() > 0), answer.status);
    }
    CHECK(leases("net").empty());
}

TEST_CASE("waiting: a FIFO in the place of resolvConf, the cursor or the index holds nobody") {
    World world;
    sh("mkfifo /run/fifo; mkdir -p " + net_dir + " " + data_dir + "/.cnative; mkfifo " + net_dir +
       "/last_reserved_ip.0 " + data_dir + "/.cnative/net.index");
    for (const json& more : std::vector<json>{json::object(), {{"resolvConf", "/run/fifo"}}}) {
        Call call = hl_call("ADD", small_pool(more), more.empty() ? "c1" : "c2");
        call.wrapper = {"timeout", "-s", "KILL", "5"};
        const Answer answer = invoke(call);
        CHECK_MESSAGE((answer.ok() || answer.code() > 0), answer.status);
    }
}

TEST_CASE("waiting: an IPAM plugin whose child keeps its output open is not waited for after SIGTERM") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("mkdir /run/plugins; printf '#!/bin/sh\\ntrap \"\" TERM\\nsleep 20 & wait\\n' > /run/plugins/stuck; "
       "chmod +x /run/plugins/stuck; : > /run/ended");
    json config = bridge_config({{"ipam", {{"type", "stuck"}}}});
    // The DEL that undoes the ADD is to end at once.
    sh("sed -i '2i [ \"$CNI_COMMAND\" = ADD ] || exit 0' /run/plugins/stuck");
    Call call = {.plugin = "bridge", .config = config, .netns = c1, .path = "/run/plugins"};
    call.wrapper = {"timeout", "--preserve-status", "-s", "TERM", "-k", "20", "0.5"};
    const Answer answer = invoke(call);
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "SIGTERM"), answer.msg());
    CHECK(ports().empty());
}

TEST_CASE("bridge: an IPAM plugin that ends by a signal after its answer is told so") { // was code 0 without a word
    World world;
    const std::string c1 = world.netns("c1");
    sh(R"(mkdir /run/plugins; cat > /run/plugins/dying <<'X'
#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.7/24"}]}'
kill -KILL $$
X
chmod +x /run/plugins/dying)");
    const Answer answer = invoke({.plugin = "bridge",
                                  .config = bridge_config({{"ipam", {{"type", "dying"}}}}),
                                  .netns = c1,
                                  .path = "/run/plugins"});
    CHECK(answer.status == 1);
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "netplugin failed after its answer: signal 9");
    CHECK(ports().empty());
}
