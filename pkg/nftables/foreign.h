// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inet/address.h"
#include "nftables/socket.h"

// Rules that others made, read as far as it takes to know whose they are.
namespace nft {

struct ForeignRule {
    std::string chain;
    std::uint64_t handle = 0;           ///< what it is removed by; never given twice in a table
    std::string comment;                ///< as `nft` keeps it; iptables keeps its own elsewhere
    std::string jump;                   ///< the chain it jumps to, unconditionally or not
    std::optional<inet::Prefix> source; ///< `ip saddr`, `ip6 saddr`, `-s`
};

/// The rules of a chain, or of the whole table when `chain` is empty. Nothing when there is no such thing.
[[nodiscard]] std::vector<ForeignRule> list_rules(Socket& socket, const Table& table, const std::string& chain);

} // namespace nft
