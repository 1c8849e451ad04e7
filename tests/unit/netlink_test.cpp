// SPDX-License-Identifier: Apache-2.0
// What STATUS asks the kernel, in a network namespace of the test's own.
#include <doctest/doctest.h>

#include <cstdio>
#include <exception>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netlink/rtnl.h"

namespace {

enum Answer : int { no, yes, failed, no_namespace };

Answer supports(const char* kind) {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            _exit(no_namespace);
        try {
            _exit(netlink::Rtnl().supports_kind(kind) ? yes : no);
        } catch (const std::exception& error) {
            (void)std::fprintf(stderr, "%s: %s\n", kind, error.what());
            _exit(failed);
        }
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return static_cast<Answer>(WEXITSTATUS(status));
}

} // namespace

TEST_CASE("a kernel that cannot make a kind of link says so, and a probe makes none") {
    const Answer bridge = supports("bridge");
    if (bridge == no_namespace) {
        MESSAGE("SKIPPED: no user namespaces for this user");
        return;
    }
    CHECK(bridge == yes);
    CHECK(supports("veth") == yes);
    CHECK(supports("nosuchkind") == no);
}
