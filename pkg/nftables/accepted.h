// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "inet/address.h"
#include "nftables/owned.h"

// Containers whose forwarded traffic is welcome whatever the host's own rules say about it:
//   set accepted4 { type ipv4_addr; elements = { 10.1.0.2 comment "net/c1/eth0" } }
// and the same with 6. What an owner has is told by its record, for it may be added again with another address:
//   map accepted_owners { type mark . mark : mark; … }   a hash of the owner, a hash of its addresses
// An accept counts only in the table that would drop, which for a host that filters by iptables is `ip filter`; and
// iptables cannot list a rule that looks a set up. So what is welcome gets a mark, right before:
//   chain accepted_mark { type filter hook forward priority -1; … ip saddr @accepted4 jump accepted_sign; … }
// is accepted by that mark in iptables' FORWARD (iptables_forward.h), and gets its own mark back right behind:
//   chain accepted_unmark { type filter hook forward priority 1; … }
namespace nft {

/// The four bits of a packet's mark that are ours between these two chains, and what they are then. A packet that
/// comes with this very value from elsewhere loses it; one with another value in these bits is not signed.
inline constexpr std::uint32_t accepted_mask = 0x0f000000, accepted_mark = 0x0c000000;

/// `marks`: the chains as well. An address that another owner has is taken over, as with masquerade. The owner's record
/// goes into the same batch.
void add_accepted(Socket& socket, const std::string& owner, std::span<const inet::Address> addresses, bool marks);
/// The owner's elements: by key, unless its record tells of other addresses than those known, or none are known; then
/// by one listing of the sets.
[[nodiscard]] std::vector<Element> find_accepted(Socket& socket, const std::string& owner,
                                                 std::span<const inet::Address> known);
/// Removes those of the elements that are still the owner's, and its record.
void remove_accepted(Socket& socket, const std::string& owner, std::vector<Element> elements);
/// Removes elements and records whose owners pass the test.
void gc_accepted(Socket& socket, const OwnerTest& is_stale);
/// Empty when nobody has it.
[[nodiscard]] std::string owner_of_accepted(Socket& socket, const inet::Address& address);
[[nodiscard]] inet::Address address_of(const Element& accepted);
/// All elements whose owners pass the test.
[[nodiscard]] std::vector<Element> list_accepted(Socket& socket, const OwnerTest& test);
/// For CHECK: what is not there, each in words.
[[nodiscard]] std::vector<std::string> missing_accepted(Socket& socket, const std::string& owner,
                                                        std::span<const inet::Address> addresses, bool marks);

} // namespace nft
