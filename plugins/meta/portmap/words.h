// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config.h"
#include "nftables/ruleset.h"
#include "os/sha512.h"
#include "os/text.h"

// Names that rules and elements must spell alike.
namespace portmap {

inline constexpr const char* localnet = "localnet";
inline constexpr const char* mapped_attachments = "attachments";
inline constexpr const char* waiting = "waiting"; ///< and the IP version
inline constexpr const char* companions = "companions";

/// What differs between IPv4 and IPv6.
struct Words {
    inet::Family family;
    char digit; ///< behind every name
    nft::Field address;
    nft::Selector saddr, daddr;
};
inline constexpr Words ipv4 = {inet::Family::v4, '4', nft::Field::ipv4_addr, nft::Selector::ip_saddr,
                               nft::Selector::ip_daddr};
inline constexpr Words ipv6 = {inet::Family::v6, '6', nft::Field::ipv6_addr, nft::Selector::ip6_saddr,
                               nft::Selector::ip6_daddr};

[[nodiscard]] inline std::string name(std::string_view stem, const Words& words) {
    return os::cat(stem, words.digit);
}

[[nodiscard]] inline const std::optional<inet::Prefix>& target_of(const Targets& targets, const Words& words) {
    return words.family == inet::Family::v4 ? targets.v4 : targets.v6;
}

/// Equal conditions share a chain.
[[nodiscard]] inline std::string condition_chain_name(const Conditions& conditions) {
    return os::cat("conditions_", os::sha512_hex(text(conditions)).substr(0, 16));
}

} // namespace portmap
