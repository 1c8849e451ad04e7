// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "inet/address.h"
#include "nftables/socket.h"

// The way through a host that filters what it forwards by iptables (in its nf_tables variant), whose policy may be to
// drop: Docker, ufw. In `ip filter` and `ip6 filter`, named and worded as the Go suite does, and listed by iptables:
//   -A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
//   -A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
//   -A CNI-FORWARD -m comment --comment "CNI firewall plugin marks" -m mark --mark 0xc000000/0xf000000 -j ACCEPT
// That is all, however many containers there are (accepted.h). It stays, as with the Go suite.
namespace nft {

/// Whether iptables have a say: the table's FORWARD chain is there, or the administrator's own chain. Warns of one that
/// hooks where none of our marks is.
[[nodiscard]] bool iptables_forward(Socket& socket, inet::Family family, const std::string& admin_chain);
/// Whether the older variant of iptables, whose rules are no objects of nf_tables, filters: out of our reach.
[[nodiscard]] bool iptables_legacy(inet::Family family);
/// Makes what is missing of the three rules, the first and second at the top of their chains, and of the chains.
void let_through_iptables(Socket& socket, inet::Family family, const std::string& admin_chain);
/// For CHECK: which of the rules are missing, the Go suite's in its words.
[[nodiscard]] std::vector<std::string> missing_in_iptables(Socket& socket, inet::Family family,
                                                           const std::string& admin_chain);

} // namespace nft
