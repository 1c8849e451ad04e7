// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "inet/address.h"
#include "nftables/transaction.h"

// Rules that a subnet needs once, however many containers it has: "traffic that stays in this subnet …".
// A ledger set beside the chain remembers which subnets have theirs, so that the rule is added exactly once under
// any race, and looking costs one lookup.
namespace nft {

enum class Within : std::uint8_t { accept, masquerade };

/// `chain` shall hold `saddr <subnet> daddr <subnet> <verdict>`.
struct SubnetRule {
    std::string chain;
    inet::Prefix subnet;
    Within verdict{};
};

/// The ledger of a chain: `<chain>_subnets`.
[[nodiscard]] std::string ledger_name(const std::string& chain);
/// It, to be among the fragment's sets.
[[nodiscard]] Set subnet_ledger(const std::string& chain, inet::Family family);
/// Adds ledger entry and rule to the batch when the ledger has none.
/// EEXIST at commit says that somebody else was faster: build the batch again.
void add_if_missing(Socket& socket, const Table& table, const SubnetRule& rule, Transaction& transaction);
/// For CHECK: empty, or that the chain's ledger has no entry for the subnet.
[[nodiscard]] std::string missing_subnet(Socket& socket, const Table& table, const SubnetRule& rule);

} // namespace nft
