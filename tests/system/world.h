// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// The private world of one test case: a "host" network namespace with lo up, a mount namespace with empty tmpfs on
// /run and /var/lib/cni, and container namespaces under /run/netns. A new World replaces the one before; whatever a
// case made goes away with it.
namespace test {

struct Output {
    int status = 0; ///< exit status; 128 + signal when killed
    std::string out, err;
};

struct RunOptions {
    std::string netns; ///< path; empty: the host's
    std::string input;
    std::optional<std::map<std::string, std::string>> environment; ///< the whole one; otherwise inherited
    std::chrono::seconds deadline{60};
};
/// Runs a program to its end (killed at the deadline: status 137).
Output run(const std::vector<std::string>& argv, const RunOptions& options = {});
/// `sh -c`; fails the test case when it does not exit 0. Returns stdout.
std::string sh(const std::string& command, const std::string& netns = {});
/// `sh -c`: whether it exits 0.
bool works(const std::string& command, const std::string& netns = {});
/// Polls until `condition` holds, at most `patience`: a machine that is busy with namespaces takes seconds to bring
/// IPv6 up on a link, for the kernel does that under the one lock of its network configuration.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = std::chrono::seconds(10));

class World {
  public:
    World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();
    /// Creates (or finds) a network namespace with lo up; returns its path "/run/netns/<name>".
    std::string netns(const std::string& name);
    void remove_netns(const std::string& name);
    /// An outside host: namespace `name`, joined to ours by a veth pair with 192.0.2.1/24 and 2001:db8::1/64 on our
    /// side (interface "uplink") and .2 and ::2 on its side. It has no route to containers.
    std::string outside(const std::string& name = "outside");
};

/// A server in a namespace that answers every connection (tcp) or datagram (udp) with "<name> <address of the peer>".
class Server {
  public:
    Server(const std::string& netns, const std::string& protocol, int port, std::string name);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

  private:
    int pid_ = -1;
};
/// Asks such a server; nothing when nobody answers within a second. `source_port` 0: any.
std::optional<std::string> ask(const std::string& netns, const std::string& protocol, const std::string& address,
                               int port, int source_port = 0);

/// Prints "SKIPPED: case: why" and counts it.
void count_skip(const std::string& why);

} // namespace test

/// Ends a case that this kernel cannot run.
#define SKIP_CASE(why)                                                                                                 \
    do {                                                                                                               \
        test::count_skip(why);                                                                                         \
        return;                                                                                                        \
    } while (false)
