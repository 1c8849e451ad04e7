// SPDX-License-Identifier: Apache-2.0
// Signals that are not meant for a plugin, and limits that speak by signals: a runtime's process group or cgroup gets a
// USR1, a caller has set a timer or a file size limit.
#include <doctest/doctest.h>

#include "protocol_call.h"

using namespace test;

namespace {

/// A bridge ADD whose IPAM plugin sends `signal` to the bridge plugin before it is host-local.
Answer add_signalled(World& world, const std::string& signal) {
    const std::string c1 = world.netns("c1");
    sh("mkdir -p /run/plugins; printf '#!/bin/sh\\n[ $CNI_COMMAND = ADD ] && kill -" + signal + " $PPID\\nexec " +
       bin_dir() + "/host-local\\n' >/run/plugins/sender; chmod 755 /run/plugins/sender");
    const json keys = {{"ipam", {{"type", "sender"}, {"subnet", "10.9.0.0/24"}}}};
    return invoke({.plugin = "bridge", .config = bridge_config(keys), .netns = c1, .path = "/run/plugins"});
}

} // namespace

TEST_CASE("signal: those that Go programs live on with end no ADD") { // each killed it half-way, without an answer
    for (const std::string signal : {"USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "XCPU", "XFSZ"}) {
        CAPTURE(signal);
        World world;
        const Answer answer = add_signalled(world, signal);
        CHECK_MESSAGE(answer.ok(), answer.status);
        CHECK(answer.document().contains("ips"));
        CHECK(works("ip link show eth0", "/run/netns/c1"));
    }
}

TEST_CASE("signal: QUIT is answered like TERM, and nothing is left") { // it killed the ADD half-way, without an answer
    World world;
    const Answer answer = add_signalled(world, "QUIT");
    CHECK(answer.status == 1);
    CHECK(answer.code() == 999);
    CHECK(answer.msg() == "interrupted by signal 3 (SIGQUIT): everything done by this call was undone");
    CHECK(leases("net").empty());
    CHECK(!works("ip link show eth0", "/run/netns/c1"));
}

TEST_CASE("signal: SYS, a seccomp filter's, is answered as a crash") { // it killed the ADD without an answer
    World world;
    const Answer answer = add_signalled(world, "SYS");
    CHECK(answer.status == 1);
    CHECK(answer.code() == 999);
    CHECK_MESSAGE(contains(answer.msg(), "the bridge plugin crashed"), answer.msg());
}

TEST_CASE("signal: a file size limit fails a call with the file's name, and nothing is left") { // XFSZ killed it
    World world;
    const std::string c1 = world.netns("c1");
    // Through a pipe: the answer itself must not meet the limit.
    const std::vector<std::string> limited = {"bash", "-c", "set -o pipefail; (ulimit -f 0; exec \"$0\") | cat"};
    Call call = call_of("host-local");
    call.wrapper = limited;
    const Answer alone = invoke(call);
    CHECK(alone.status == 1);
    CHECK(alone.code() == 5);
    CHECK_MESSAGE(contains(alone.msg(), "file too large"), alone.msg());

    const Answer chained = invoke({.plugin = "bridge", .config = bridge_config(), .netns = c1, .wrapper = limited});
    CHECK(chained.status == 1);
    CHECK(chained.code() == 5);
    CHECK_MESSAGE(contains(chained.msg(), "file too large"), chained.msg());
    CHECK(leases("net").empty());
    CHECK(!works("ip link show eth0", c1));
}
