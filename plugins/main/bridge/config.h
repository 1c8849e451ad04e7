// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cni/invocation.h"
#include "inet/mac.h"
#include "vlan_keys.h"

namespace bridge {

/// The keys of README.md, checked.
struct Config {
    std::string bridge = "cni0";
    bool is_gateway = false; ///< also set by isDefaultGateway
    bool is_default_gateway = false;
    bool force_address = false;
    bool ip_masq = false; ///< only with an IPAM plugin
    unsigned mtu = 0;     ///< 0: the kernel's default
    bool hairpin = false;
    bool promisc = false;
    bool mac_spoof_check = false;
    bool enable_dad = false;
    bool disable_container_interface = false;
    bool port_isolation = false;
    Vlans vlans;
    std::optional<inet::Mac> mac; ///< runtimeConfig.mac, else args.cni.mac, else CNI_ARGS MAC
    cni::NetConf net;

    [[nodiscard]] bool layer3() const { return !net.ipam_type.empty(); }
};

/// Everything that can be refused without touching the system is refused here, in the Go suite's words.
[[nodiscard]] Config parse(const cni::Invocation& call);
/// For CHECK and STATUS: without the rules on combinations that only an ADD breaks.
[[nodiscard]] Config parse_keys(const cni::Invocation& call);
/// For DEL and GC: what can be read of a config that may be broken.
[[nodiscard]] std::string ipam_type_leniently(const cni::Invocation& call);
[[nodiscard]] bool ip_masq_leniently(const cni::Invocation& call);
/// "<bridge>.<vlan>": the interface with the gateway addresses when the network has a VLAN.
[[nodiscard]] std::string vlan_gateway_name(const Config& config);

} // namespace bridge
