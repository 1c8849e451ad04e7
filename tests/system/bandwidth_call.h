// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "protocol_call.h"

// Calls of bandwidth for container c1, whose eth0 (10.9.0.2) is the other end of the host's "hostv" (10.9.0.1).
namespace test {

inline const char* const ifb_name = "bwp623e1c388032"; // of network "net", container "c1"

inline std::string with_veth(World& world) {
    const std::string c1 = world.netns("c1");
    sh("ip link add hostv mtu 1400 type veth peer name eth0 netns c1 && ip link set hostv up && "
       "ip addr add 10.9.0.1/24 dev hostv && ip -n c1 link set eth0 mtu 1400 up && "
       "ip -n c1 addr add 10.9.0.2/24 dev eth0");
    return c1;
}

inline json veth_result(const std::string& version = "1.0.0") {
    json result = {{"cniVersion", version},
                   {"interfaces",
                    {{{"name", "hostv"}, {"mac", "02:00:00:00:00:01"}},
                     {{"name", "eth0"}, {"mac", "02:00:00:00:00:02"}, {"sandbox", "/run/netns/c1"}}}},
                   {"ips", {{{"interface", 1}, {"address", "10.9.0.2/24"}}}}};
    if (version < "1.0.0")
        result["ips"][0]["version"] = "4";
    return result;
}

inline json limits(std::uint64_t ingress_rate, std::uint64_t ingress_burst, std::uint64_t egress_rate,
                   std::uint64_t egress_burst) {
    return {{"ingressRate", ingress_rate},
            {"ingressBurst", ingress_burst},
            {"egressRate", egress_rate},
            {"egressBurst", egress_burst}};
}

inline json both_ways() {
    return limits(8000000, 800000, 16000000, 1600000);
}

inline Call bandwidth(const std::string& command, const json& more = both_ways(),
                      const std::string& version = "1.0.0") {
    json config = {
        {"cniVersion", version}, {"name", "net"}, {"type", "bandwidth"}, {"prevResult", veth_result(version)}};
    config.update(more);
    return {.plugin = "bandwidth", .command = command, .config = config, .netns = "/run/netns/c1"};
}

/// STATUS or GC.
inline Call bandwidth_of_network(const std::string& command, const json& more = json::object()) {
    Call call = bandwidth(command, {{"cniVersion", "1.1.0"}, {"prevResult", nullptr}});
    call.config.update(more);
    call.id = call.netns = call.ifname = "";
    return call;
}

/// What tc shows of the whole host, without what differs from run to run.
inline std::string disciplines() {
    return sh("tc -s -d qdisc show | sed 's/Sent .*//; s/backlog .*//; s/requeues .*//'");
}

inline std::string ifbs() {
    return sh("ip -br link show type ifb");
}

/// Everything that ADD may have made.
inline bool nothing_left() {
    return ifbs().empty() && !contains(disciplines(), "tbf") && !contains(disciplines(), "htb") &&
           !contains(disciplines(), "ingress");
}

} // namespace test
