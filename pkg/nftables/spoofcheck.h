// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "inet/mac.h"
#include "nftables/owned.h"

// Frames from a container with another source MAC than its own are dropped before they reach the bridge:
//   table bridge cnative {
//     set guarded { type ifname; elements = { "veth12345678" comment "net/c1/eth0" } }
//     set allowed { type ifname . ether_addr; elements = { "veth12345678" . 02:00:00:00:00:01 comment … } }
//     chain spoofcheck { type filter hook prerouting priority -300;
//                        iifname @guarded iifname . ether saddr != @allowed drop } }
namespace nft {

void add_spoof_check(Socket& socket, const std::string& owner, const std::string& host_veth, const inet::Mac& mac);
/// By the host veth's name; absent is fine.
void remove_spoof_check(Socket& socket, const std::string& owner, const std::string& host_veth);
/// What is missing for this container, in words; empty when nothing is.
[[nodiscard]] std::string missing_spoof_check(Socket& socket, const std::string& owner, const std::string& host_veth,
                                              const inet::Mac& mac);
void gc_spoof_check(Socket& socket, const OwnerTest& is_stale);

} // namespace nft
