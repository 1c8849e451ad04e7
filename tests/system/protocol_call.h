// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "bridge_call.h"

// Calls that any plugin takes, for cases about what all plugins share.
namespace test {

inline const std::vector<std::string> plugins = {"bridge", "host-local", "loopback", "portmap", "tuning"};
/// Everything in CNI_BIN_DIR; those that `plugins` lacks take fewer versions.
inline const std::vector<std::string> all_plugins = {"bridge", "host-local", "loopback", "portmap",
                                                     "tuning", "firewall",   "bandwidth"};
inline const std::vector<std::string> all_versions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

inline json prev_result(const std::string& version) {
    const json ip = {{"interface", 0}, {"address", "10.9.0.2/24"}, {"gateway", "10.9.0.1"}};
    json in_lists = {{"cniVersion", version},
                     {"interfaces", {{{"name", "eth0"}, {"mac", "02:00:00:00:00:02"}, {"sandbox", "/run/netns/c1"}}}},
                     {"ips", {ip}},
                     {"routes", {{{"dst", "0.0.0.0/0"}, {"gw", "10.9.0.1"}}}},
                     {"dns", {{"nameservers", {"192.0.2.53"}}}}};
    if (version >= "1.0.0")
        return in_lists;
    if (version >= "0.3.0") {
        in_lists["ips"][0]["version"] = "4";
        return in_lists;
    }
    return {{"cniVersion", version},
            {"ip4", {{"ip", "10.9.0.2/24"}, {"gateway", "10.9.0.1"}, {"routes", in_lists["routes"]}}},
            {"dns", in_lists["dns"]}};
}

/// A config that every plugin takes.
inline json config_of(const std::string& plugin, const json& more = json::object()) {
    json config = bridge_config({{"type", plugin}});
    if (plugin != "bridge" && plugin != "host-local" && plugin != "loopback")
        config["prevResult"] = prev_result("1.0.0");
    config.update(more);
    return config;
}

inline Call call_of(const std::string& plugin, const std::string& command = "ADD", const json& more = json::object()) {
    return {.plugin = plugin, .command = command, .config = config_of(plugin, more), .netns = "/run/netns/c1"};
}

inline Call with_stdin(const std::string& text, const std::string& plugin = "host-local") {
    Call call = call_of(plugin);
    call.raw = text;
    return call;
}

inline void refused(const Answer& answer, int code, const std::string& msg, const std::string& details = {}) {
    const json document = answer.document();
    CHECK(answer.status == 1);
    CHECK(answer.code() == code);
    CHECK(answer.msg() == msg);
    CHECK(document.value("details", "") == details);
    CHECK(document.contains("details") == !details.empty());
    CHECK(!document.contains("cniVersion"));
}

inline Call empty_stdin(Call call) {
    call.wrapper = {"sh", "-c", "exec \"$0\" </dev/null"};
    return call;
}

} // namespace test
