// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nftables/owned.h"

// Who may send to the containers on a bridge (firewall's ingressPolicy), whatever the protocol.
// Between bridges, and back to the same one by way of the host, in `table inet cnative`:
//   set apart { type ifname; elements = { "br0" comment "net" } }              bridges that keep to themselves
//   set apart_own { type ifname . ifname; elements = { "br0" . "br0" … } }     what stays on each of them
//   set apart_isolated { type ifname . ifname; … }                             and where that is dropped as well
//   chain ingress { type filter hook forward priority filter;
//     iifname . oifname @apart_isolated drop
//     iifname @apart oifname @apart iifname . oifname != @apart_own drop }
// The comment is the network that asked first. A bridge may be shared, so nothing of this is ever removed.
// Across one bridge, in `table bridge cnative`, an element for each container, and one for each VLAN's gateway, which
// is behind a port too:
//   set isolated { type ifname; elements = { "veth0" comment "net/c1/eth0" } }
//   set gateway_ports { type ifname; elements = { "veth1" comment "net" } }
//   chain isolated_frames { type filter hook forward priority 1;
//     iifname @isolated oifname != @gateway_ports drop
//     oifname @isolated iifname != @gateway_ports drop }
namespace nft {

enum class Ingress : std::uint8_t { open, same_bridge, isolated };

/// `bridge` is the interface by which its containers are routed: with a VLAN that of the VLAN. Nothing to do for
/// `open`. The stricter one of two policies for a bridge wins.
void set_ingress(Socket& socket, const std::string& network, const std::string& bridge, Ingress policy);
/// For CHECK: empty, or what is not there.
[[nodiscard]] std::string missing_ingress(Socket& socket, const std::string& bridge, Ingress policy);

/// Ports of a bridge that keep to themselves.
struct Isolation {
    std::vector<std::string> ports;
    std::string gateway_port; ///< the one port they reach: the VLAN's gateway is behind it; empty without one
    std::string network;      ///< whose gateway that is
};
/// Nothing goes from one port of a bridge to any of these, or back. Warns where the kernel cannot do that.
void isolate_ports(Socket& socket, const std::string& owner, const Isolation& isolation);
/// By key; by a listing of the set when none are known.
void release_ports(Socket& socket, const std::string& owner, std::span<const std::string> known);
void gc_ports(Socket& socket, const OwnerTest& is_stale);
/// For CHECK: empty, or what is not there.
[[nodiscard]] std::string missing_isolation(Socket& socket, const std::string& owner, const Isolation& isolation);

} // namespace nft
