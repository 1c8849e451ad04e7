// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "nftables/socket.h"

// Who may send to the containers on a bridge (firewall's ingressPolicy), both IP versions:
//   set apart { type ifname; elements = { "br0" comment "net" } }              bridges that keep to themselves
//   set apart_own { type ifname . ifname; elements = { "br0" . "br0" … } }     what stays on each of them
//   set apart_isolated { type ifname . ifname; … }                             and where that is dropped as well
//   chain ingress { type filter hook forward priority filter;
//     iifname . oifname @apart_isolated drop
//     iifname @apart oifname @apart iifname . oifname != @apart_own drop }
// The comment is the network that asked first. A bridge may be shared, so nothing of it is ever removed.
namespace nft {

enum class Ingress : std::uint8_t { open, same_bridge, isolated };

/// Nothing to do for `open`. The stricter one of two policies for a bridge wins.
void set_ingress(Socket& socket, const std::string& network, const std::string& bridge, Ingress policy);
/// For CHECK: empty, or what is not there.
[[nodiscard]] std::string missing_ingress(Socket& socket, const std::string& bridge, Ingress policy);

} // namespace nft
