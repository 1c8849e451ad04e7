// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "invoke.h"
#include "world.h"

// What the cases about the firewall plugin share.
namespace test {

/// bridge, portmap, firewall as container runtimes chain them.
inline json firewall_list(const json& more_firewall_keys = json::object(), const std::string& version = "1.0.0",
                          const json& more_bridge_keys = json::object()) {
    json list = bridge_portmap_list(json::object(), version);
    list["plugins"][0].update(more_bridge_keys);
    json firewall = {{"type", "firewall"}};
    firewall.update(more_firewall_keys);
    list["plugins"].push_back(firewall);
    return list;
}

/// firewall alone, behind a result that some other plugin might have given.
inline json firewall_config(const json& more = json::object(), const std::string& version = "1.0.0") {
    json config = {
        {"cniVersion", version},
        {"name", "net"},
        {"type", "firewall"},
        {"prevResult",
         {{"cniVersion", version},
          {"interfaces", {{{"name", "br0"}}, {{"name", "veth0"}}, {{"name", "eth0"}, {"sandbox", "/run/netns/c1"}}}},
          {"ips", {{{"address", "10.9.0.2/24"}, {"interface", 2}}, {{"address", "fd09::2/64"}, {"interface", 2}}}}}}};
    if (version == "0.4.0") {
        config["prevResult"]["ips"][0]["version"] = "4";
        config["prevResult"]["ips"][1]["version"] = "6";
    }
    config.update(more);
    return config;
}

inline Answer firewall(const std::string& command, const json& config, const std::string& id = "c1") {
    return invoke({.plugin = "firewall",
                   .command = command,
                   .config = config,
                   .id = command == "GC" || command == "STATUS" ? "" : id,
                   .netns = command == "GC" || command == "STATUS" ? "" : "/run/netns/" + id,
                   .ifname = command == "GC" || command == "STATUS" ? "" : "eth0"});
}

/// A host as Docker or ufw make it: whatever is forwarded is dropped.
inline void drop_forwarded() {
    sh("iptables -P FORWARD DROP; ip6tables -P FORWARD DROP");
}

/// Whether what is bridged shall pass iptables' and nftables' forward hooks as if it were routed.
inline void filter_bridged(bool how) {
    sh(std::string("for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e $f ] || echo ") +
       (how ? "1" : "0") + " > $f; done");
}

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace test
