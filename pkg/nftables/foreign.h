// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inet/address.h"
#include "nftables/socket.h"
#include "os/netlink_attribute.h"

// Rules that others made, read as far as it takes to know whose they are.
namespace nft {

struct ForeignRule {
    std::string chain;
    std::uint64_t handle = 0;           ///< what it is removed by; never given twice in a table
    std::string comment;                ///< of `nft` or of iptables
    std::string jump;                   ///< the chain it jumps to, unconditionally or not
    std::optional<inet::Prefix> source; ///< `ip saddr`, `ip6 saddr`, `-s`
    std::optional<inet::Prefix> destination;
    std::optional<std::uint32_t> mark; ///< `meta mark`, after a mask if there is one
    bool accepts = false;
    std::string kinds; ///< its expressions by the kernel's names, one blank between, counters left out
};

struct ForeignChain {
    std::uint32_t uses = 0;    ///< how many rules it has and how many lead to it, together
    std::int32_t priority = 0; ///< of a base chain
};
[[nodiscard]] std::optional<ForeignChain> find_chain(Socket& socket, const Table& table, const std::string& name);

/// The rules of a chain, or of the whole table when `chain` is empty. Nothing when there is no such thing.
[[nodiscard]] std::vector<ForeignRule> list_rules(Socket& socket, const Table& table, const std::string& chain);

/// A rule from the attributes of an NFT_MSG_NEWRULE, of a table of this family: what is broken in it is left out.
/// Nothing when it has no handle.
[[nodiscard]] std::optional<ForeignRule> read_rule(os::Payload attributes, std::uint8_t family);

} // namespace nft
