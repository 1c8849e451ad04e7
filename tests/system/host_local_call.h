// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "protocol_call.h"

// Calls of host-local alone. Network "net", data in the World's own /var/lib/cni.
namespace test {

inline const std::string data_dir = "/var/lib/cni/networks";
inline const std::string net_dir = data_dir + "/net";

inline json range(const std::string& subnet, const json& more = json::object()) {
    json object = {{"subnet", subnet}};
    object.update(more);
    return object;
}

/// A network whose ipam object is this.
inline json hl_config(const json& ipam, const json& more = json::object()) {
    json config = {{"cniVersion", "1.0.0"}, {"name", "net"}, {"type", "bridge"}, {"ipam", ipam}};
    config["ipam"]["type"] = "host-local";
    config.update(more);
    return config;
}

/// One range set for each element: a range, or a list of ranges.
inline json hl_ranges(const std::vector<json>& sets, const json& more = json::object()) {
    json lists = json::array();
    for (const json& set : sets)
        lists.push_back(set.is_array() ? set : json::array({set}));
    json ipam = {{"ranges", lists}};
    ipam.update(more);
    return hl_config(ipam);
}

/// 10.9.0.0/29: 10.9.0.1 is the gateway, .2 to .6 are five addresses.
inline json small_pool(const json& more_ipam = json::object()) {
    return hl_ranges({range("10.9.0.0/29")}, more_ipam);
}

inline Call hl_call(const std::string& command, const json& config, const std::string& id = "c1",
                    const std::string& ifname = "eth0", const std::string& args = {}) {
    return {.plugin = "host-local",
            .command = command,
            .config = config,
            .id = id,
            .netns = "/run/netns/c1",
            .ifname = ifname,
            .args = args};
}

inline Answer hl(const std::string& command, const json& config, const std::string& id = "c1",
                 const std::string& ifname = "eth0", const std::string& args = {}) {
    return invoke(hl_call(command, config, id, ifname, args));
}

/// The addresses of an ADD that has to work, prefix length and all, joined by blanks.
inline std::string leased(const json& config, const std::string& id = "c1", const std::string& ifname = "eth0",
                          const std::string& args = {}) {
    const Answer answer = hl("ADD", config, id, ifname, args);
    if (!answer.ok())
        throw std::runtime_error("ADD failed: " + answer.out + answer.err);
    std::string addresses;
    const json document = answer.document();
    for (const json& ip : document["ips"])
        addresses += (addresses.empty() ? "" : " ") + ip["address"].get<std::string>();
    return addresses;
}

/// The text of an ADD that has to fail.
inline std::string refusal(const json& config, const std::string& id = "c1", const std::string& args = {}) {
    const Answer answer = hl("ADD", config, id, "eth0", args);
    CHECK(answer.status == 1);
    CHECK(answer.code() == 999);
    CHECK(!answer.document().contains("details"));
    return answer.msg();
}

inline void put(const std::string& path, const std::string& content) {
    const Output output = run({"sh", "-c", "cat >\"$0\"", path}, {.input = content});
    if (output.status != 0)
        throw std::runtime_error("write " + path + ": " + output.err);
}

inline std::string get(const std::string& path) {
    return sh("cat '" + path + "'");
}

inline std::string listing(const std::string& dir) {
    return sh("ls -A '" + dir + "'");
}

using Names = std::vector<std::string>;

} // namespace test
