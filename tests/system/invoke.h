// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

// A runtime's side of CNI: one plugin call, or a whole network as libcni drives it.
namespace test {

using nlohmann::json;

/// CNI_BIN_DIR, else the repository's bin/.
std::string bin_dir();

/// The Go suite to compare with: GO_BIN_DIR, else where Debian's containernetworking-plugins has it.
std::string go_dir();

/// Whether that one is younger than Debian 12's: CNI 1.1.0, nftables backends.
bool go_has_nftables();

/// One call of one plugin.
struct Call {
    std::string plugin;
    std::string command = "ADD";
    json config;           ///< stdin; see raw
    std::string id = "c1"; ///< an empty one, like the next two, is set but empty
    std::string netns;
    std::string ifname = "eth0";
    std::string args;
    std::string path = bin_dir();
    std::string raw{};                ///< stdin as it is, in place of config
    std::vector<std::string> unset{}; ///< variables to leave out altogether
    std::map<std::string, std::string> extra{};
    std::vector<std::string> wrapper{}; ///< {"strace", "-f", …}
};

struct Answer {
    int status = 0;
    std::string out, err;
    /// stdout as exactly one JSON document (fails the case when it is not); null when empty.
    [[nodiscard]] json document() const;
    [[nodiscard]] int code() const;        ///< of an error; 0 for success
    [[nodiscard]] std::string msg() const; ///< of an error
    [[nodiscard]] bool ok() const { return status == 0; }
};
/// A program named by the environment variable PLUGIN_LAUNCHER runs it (tests/fault/old-kernel.sh).
Answer invoke(const Call& call);

/// A network configuration list and a runtime for it. Container "c1" has the namespace /run/netns/c1.
class Network {
  public:
    explicit Network(json conflist) : list_(std::move(conflist)) {}

    /// Runs the chain; stops at the first error. `capabilities` go to the plugins that ask for them.
    Answer add(const std::string& id, const json& capabilities = json::object(), const std::string& args = {},
               const std::string& ifname = "eth0");
    /// Backward, with the cached result; with_netns false: CNI_NETNS is empty.
    Answer del(const std::string& id, const json& capabilities = json::object(), const std::string& args = {},
               const std::string& ifname = "eth0", bool with_netns = true);
    Answer check(const std::string& id, const json& capabilities = json::object(), const std::string& args = {},
                 const std::string& ifname = "eth0");
    /// To every plugin; the first failure is the answer.
    Answer gc(const std::vector<std::pair<std::string, std::string>>& valid);
    Answer status();
    /// The result of an ADD; what DEL and CHECK send as prevResult. Erase to play a runtime that lost it.
    std::map<std::string, json> results;

    /// Plugin `index`'s config as the runtime sends it.
    [[nodiscard]] json config(std::size_t index, const json& prev, const json& capabilities) const;

  private:
    json list_;
};

/// {"cniVersion":…,"name":"net","plugins":[bridge]}: a bridge network with masquerade, dual stack by default.
json bridge_list(const json& more_bridge_keys = json::object(), const std::string& version = "1.0.0");
/// The same with portmap behind it.
json bridge_portmap_list(const json& more_portmap_keys = json::object(), const std::string& version = "1.0.0");

/// Lease files of a network: names of IP files.
std::vector<std::string> leases(const std::string& network, const std::string& data_dir = "/var/lib/cni/networks");

} // namespace test
