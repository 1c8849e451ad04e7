// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "protocol_call.h"

// Calls of tuning for container c1, whose eth0 is one end of a veth pair.
namespace test {

inline std::string with_eth0(World& world, const std::string& name = "c1") {
    std::string netns = world.netns(name);
    sh("ip link add eth0 type veth peer name other; ip link set eth0 up; ip link set other up", netns);
    return netns;
}

inline Call tuning(const std::string& command, const json& more = json::object(),
                   const std::string& version = "1.0.0") {
    json config = {{"cniVersion", version}, {"name", "net"}, {"type", "tuning"}, {"prevResult", prev_result(version)}};
    config.update(more);
    return {.plugin = "tuning", .command = command, .config = config, .netns = "/run/netns/c1"};
}

inline Call with_args(Call call, const std::string& args) {
    call.args = args;
    return call;
}

/// What the kernel says of the link: mtu, mac, qlen, promisc, allmulti.
inline json link_of(const std::string& netns, const std::string& name = "eth0") {
    const json link = json::parse(sh("ip -j -d link show " + name, netns))[0];
    const std::string flags = link["flags"].dump();
    return {{"mtu", link["mtu"]},
            {"mac", link["address"]},
            {"qlen", link.value("txqlen", 0)}, // ip(8) leaves out a 0
            {"promisc", flags.find("PROMISC") != std::string::npos},
            {"allmulti", flags.find("ALLMULTI") != std::string::npos}};
}

inline std::string content_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    return content.str();
}

inline bool is_there(const std::string& path) {
    return works("test -e " + path);
}

inline const char* const saved_file = "/run/cni/tuning/c1_eth0.json";

/// A copy of /etc that this case may change.
inline void private_etc() {
    sh("mkdir /run/etc && cp -a /etc/. /run/etc && mount --bind /run/etc /etc");
}

inline void allow(const std::string& lines) {
    sh("mkdir -p /etc/cni/tuning");
    std::ofstream("/run/etc/cni/tuning/allowlist.conf") << lines;
}

} // namespace test
