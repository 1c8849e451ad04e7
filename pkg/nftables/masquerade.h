// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "inet/address.h"
#include "nftables/owned.h"

// Source NAT of what leaves a container's subnet, shared by every plugin with an ipMasq key:
//   set masq4 { type ipv4_addr; elements = { 10.1.0.2 comment "net/c1/eth0" } }
//   chain masq { type nat hook postrouting priority srcnat; ip saddr @masq4 jump masquerade4; … }
//   chain masquerade4 { jump masq_within4; ip daddr 224.0.0.0/4 accept; masquerade }
//   chain masq_within4 { ip saddr 10.1.0.0/24 ip daddr 10.1.0.0/24 accept }
// and the same with 6.
namespace nft {

/// The table all plugins share.
[[nodiscard]] Table shared_table();

/// An address that another owner has is taken over: within one network his lease is gone, else we would not have it;
/// across networks (overlapping subnets) somebody has to have it, and it is said on stderr.
void add_masquerade(Socket& socket, const std::string& owner, std::span<const inet::Prefix> addresses);
/// By key; by one listing of the sets when no addresses are known, or when `expected` ones are not all there: what the
/// runtime remembers may not be what was made.
void remove_masquerade(Socket& socket, const std::string& owner, std::span<const inet::Address> known,
                       bool expected = false);
/// Removes what belongs to owners that pass the test.
void gc_masquerade(Socket& socket, const OwnerTest& is_stale);
/// For CHECK: empty, or what is not there.
[[nodiscard]] std::string missing_masquerade(Socket& socket, const std::string& owner,
                                             std::span<const inet::Prefix> addresses);

} // namespace nft
