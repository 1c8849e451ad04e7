// SPDX-License-Identifier: Apache-2.0
// What could make a call wait for ever. The waits that take their time are in tests/fault/waiting.sh.
#include <doctest/doctest.h>

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_local_call.h"

using namespace test;

namespace {

/// The rtnetlink sockets of this namespace that are not the kernel's: lines "sk Eth Pid Groups …".
std::vector<std::uint32_t> rtnetlink_ports() {
    std::ifstream table("/proc/net/netlink");
    std::vector<std::uint32_t> found;
    std::string line, socket, protocol, port;
    std::getline(table, line);
    while (table >> socket >> protocol >> port && std::getline(table, line))
        if (protocol == "0" && port != "0")
            found.push_back(static_cast<std::uint32_t>(std::stoul(port)));
    return found;
}

/// Root in a container: tells every rtnetlink socket there, all the time, that what it asked for has been done.
class Flooder {
  public:
    explicit Flooder(const std::string& netns) : pid_(fork()) {
        if (pid_ != 0)
            return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int where = open(netns.c_str(), O_RDONLY | O_CLOEXEC);
        const bool inside = setns(where, CLONE_NEWNET) == 0;
        const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
        while (inside)
            for (const std::uint32_t port : rtnetlink_ports())
                lie(socket, port);
        _exit(1);
    }
    Flooder(const Flooder&) = delete;
    Flooder& operator=(const Flooder&) = delete;
    ~Flooder() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    /// For as long as `look` takes nobody is lied to: `ip` does not always notice.
    template <typename Look> auto hushed(Look&& look) const {
        kill(pid_, SIGSTOP);
        waitpid(pid_, nullptr, WUNTRACED);
        auto seen = look();
        kill(pid_, SIGCONT);
        return seen;
    }

  private:
    static void lie(int socket, std::uint32_t port) {
        struct {
            nlmsghdr header;
            nlmsgerr error;
        } message{};
        message.header = {.nlmsg_len = sizeof message, .nlmsg_type = NLMSG_ERROR};
        sockaddr_nl to{};
        to.nl_family = AF_NETLINK;
        to.nl_pid = port;
        const auto now = static_cast<std::uint32_t>(time(nullptr)); // where libnl's sequence numbers begin
        for (std::uint32_t ahead = 0; ahead < 40; ++ahead) {
            message.header.nlmsg_seq = now + ahead;
            sendto(socket, &message, sizeof message, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
        }
    }
    pid_t pid_;
};

} // namespace

TEST_CASE("waiting: root in a container who answers in the kernel's place is not heard, and holds nobody") {
    World world;
    const std::string c1 = world.netns("c1");
    const Flooder flooder(c1);
    for (int round = 0; round < 15; ++round) {
        CAPTURE(round);
        const Answer answer = invoke(
            {.plugin = "bridge", .config = bridge_config(), .netns = c1, .wrapper = {"timeout", "-s", "KILL", "50"}});
        REQUIRE_MESSAGE(answer.ok(), answer.out);
        CHECK(contains(flooder.hushed([&] { return sh("ip addr show eth0", c1); }),
                       answer.document()["ips"][0]["address"]));
        const Answer removed = bridge("DEL", bridge_config());
        CHECK_MESSAGE(removed.ok(), removed.out);
    }
    CHECK(leases("net").empty());
}

// An interrupted poll(2) was taken for a config that is there to be read.
TEST_CASE("waiting: a stdin that stays open and empty holds nobody off a SIGTERM, though the wait was interrupted") {
    World world;
    sh("mkfifo /run/fifo");
    Call call{.plugin = "loopback", .config = json::object(), .netns = world.netns("c1")};
    call.wrapper = {"timeout",
                    "-s",
                    "KILL",
                    "20",
                    "bash",
                    "-c",
                    "exec 9<>/run/fifo; strace -D -qq -o /run/trace -e trace=poll -e inject=poll:error=EINTR:when=1 "
                    "\"$0\" <&9 & until grep -q INJECTED /run/trace; do sleep 0.1; done 2>/dev/null; kill $!; wait $!"};
    const Answer answer = invoke(call);
    CHECK(answer.status == 1);
    CHECK_MESSAGE(contains(answer.msg(), "interrupted by signal 15 (SIGTERM)"), answer.out);
}

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
    CHECK(answer.msg() == "netplugin failed after its answer: signal: killed");
    CHECK(ports().empty());
}

// It waited for the lock in vain; a DEL would wait for it once more.
TEST_CASE("waiting: an IPAM plugin that asks to try again later is not sent a DEL: it has made nothing") {
    World world;
    const std::string c1 = world.netns("c1");
    sh(R"(mkdir /run/plugins; cat > /run/plugins/busy <<'X'
#!/bin/sh
echo "$CNI_COMMAND" >>/run/commands
[ "$CNI_COMMAND" = ADD ] || exit 0
echo "{\"cniVersion\":\"1.0.0\",\"code\":$(cat /run/code),\"msg\":\"the leases are locked\"}"
exit 1
X
chmod +x /run/plugins/busy)");
    const Call call{.plugin = "bridge",
                    .config = bridge_config({{"ipam", {{"type", "busy"}}}}),
                    .netns = c1,
                    .path = "/run/plugins"};
    for (const int code : {11, 999}) {
        sh("rm -f /run/commands; echo " + std::to_string(code) + " > /run/code");
        const Answer answer = invoke(call);
        CHECK(answer.code() == code);
        CHECK(answer.msg() == "the leases are locked");
        CHECK(get("/run/commands") == (code == 11 ? "ADD\n" : "ADD\nDEL\n"));
        CHECK(ports().empty());
    }
}
