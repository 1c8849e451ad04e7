// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "invoke.h"
#include "world.h"

// Single calls of the bridge plugin, for cases about the plugin rather than about a network.
namespace test {

/// An ipam object for host-local: one range set for each subnet.
inline json ipam(const std::vector<std::string>& subnets, const json& more = json::object()) {
    json sets = json::array();
    for (const std::string& subnet : subnets)
        sets.push_back(json::array({json{{"subnet", subnet}}}));
    json object = {{"type", "host-local"}, {"ranges", sets}};
    object.update(more);
    return object;
}

/// Network "net": bridge br0, a gateway, 10.9.0.0/24; c1 gets 10.9.0.2.
inline json bridge_config(const json& more = json::object()) {
    json config = {{"cniVersion", "1.0.0"}, {"name", "net"},     {"type", "bridge"},
                   {"bridge", "br0"},       {"isGateway", true}, {"ipam", ipam({"10.9.0.0/24"})}};
    config.update(more);
    return config;
}

/// The same without addresses.
inline json layer2_config(const json& more = json::object()) {
    json config = bridge_config(more);
    config.erase("ipam");
    config.erase("isGateway");
    return config;
}

inline Answer bridge(const std::string& command, json config, const std::string& id = "c1", const json& prev = {}) {
    if (!prev.is_null())
        config["prevResult"] = prev;
    return invoke({.plugin = "bridge", .command = command, .config = config, .id = id, .netns = "/run/netns/" + id});
}

/// An ADD that has to work: its result.
inline json added(const json& config, const std::string& id = "c1") {
    const Answer answer = bridge("ADD", config, id);
    if (!answer.ok())
        throw std::runtime_error("ADD failed: " + answer.out + answer.err);
    return answer.document();
}

/// The host's end in a result.
inline std::string host_veth(const json& result) {
    return result["interfaces"][1]["name"];
}

/// What `ip -o` shows: the ports of the bridge.
inline std::string ports() {
    return sh("ip -o link show type veth master br0 2>/dev/null || true");
}

/// Below /proc/sys/net.
inline std::string sysctl(const std::string& key, const std::string& netns = {}) {
    const std::string value = sh("cat /proc/sys/net/" + key, netns);
    return value.substr(0, value.size() - 1);
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// The other plugins of a whole chain, in its order.
inline std::vector<json> behind_bridge(const std::string& ingress_policy) {
    std::vector<json> configs = {
        {{"type", "portmap"},
         {"runtimeConfig", {{"portMappings", {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}}}}}},
        {{"type", "firewall"}, {"ingressPolicy", ingress_policy}},
        {{"type", "tuning"}, {"mtu", 1400}, {"promisc", true}, {"sysctl", {{"net.ipv4.conf.IFNAME.arp_filter", "1"}}}},
        {{"type", "bandwidth"},
         {"ingressRate", 80000000},
         {"ingressBurst", 8000000},
         {"egressRate", 80000000},
         {"egressBurst", 8000000}}};
    for (json& config : configs)
        config.update({{"cniVersion", "1.0.0"}, {"name", "net"}});
    return configs;
}

/// Refused with this text, nothing left but perhaps the bridge.
inline void check_refused(const json& config, int code, const std::string& text) {
    const Answer answer = bridge("ADD", config);
    CHECK(answer.status == 1);
    CHECK(answer.code() == code);
    CHECK(answer.msg() == text);
    CHECK(sh("ip -o link show type veth").empty());
    CHECK(leases("net").empty());
}

} // namespace test
