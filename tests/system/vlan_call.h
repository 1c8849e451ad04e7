// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bridge_call.h"

// Networks with VLANs. They need a kernel that filters VLANs of bridges; where this one does not, `make test-vm` runs
// the cases.
namespace test {

inline bool kernel_filters_vlans() {
    return works("ip link add probe type bridge && bridge vlan add vid 5 dev probe self 2>/dev/null; result=$?; "
                 "ip link del probe; exit $result");
}

inline const std::string no_vlan_filtering =
    "this kernel filters no VLANs of bridges (CONFIG_BRIDGE_VLAN_FILTERING); make test-vm has one that does";

/// A port's VLANs: "1 native, 101, 200-210"; "untagged" is one that is not native.
inline std::string vlans_of(const std::string& port) {
    std::string text;
    const json links = json::parse(sh("bridge -j -compressvlans vlan show dev " + port));
    if (links.empty())
        return text;
    for (const json& vlan : links[0]["vlans"]) {
        text += text.empty() ? "" : ", ";
        text += std::to_string(vlan["vlan"].get<int>());
        if (vlan.contains("vlanEnd"))
            text += "-" + std::to_string(vlan["vlanEnd"].get<int>());
        const json flags = vlan.value("flags", json::array());
        if (flags == json::array({"PVID", "Egress Untagged"}))
            text += " native";
        else if (flags == json::array({"Egress Untagged"}))
            text += " untagged";
        else if (!flags.empty())
            text += " " + flags.dump();
    }
    return text;
}

/// Dual stack, default gateway, masquerade, in VLAN 100: c1 gets 10.9.0.2 and fd09::2.
inline json vlan_config(const json& more = json::object()) {
    json config = bridge_config(
        {{"isDefaultGateway", true}, {"ipMasq", true}, {"vlan", 100}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}});
    config.update(more);
    return config;
}

/// Patient, as the Go suite's IPv6 addresses are not usable at once.
inline bool pings(const std::string& netns, const std::string& address) {
    return eventually([&] { return works("ping -c1 -W1 " + address, netns); }, std::chrono::seconds(4));
}

/// Both gateway addresses answer.
inline bool reaches_gateway(const std::string& netns) {
    return pings(netns, "10.9.0.1") && pings(netns, "fd09::1");
}

/// The bridge's end of the VLAN's gateway interface.
inline std::string gateway_port() {
    const std::string shown = sh("ip -j link show br0.100");
    return json::parse(shown)[0].value("link", "");
}

} // namespace test
