// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "inet/address.h"

// conditionsV4 and conditionsV6: which traffic may use the port mappings. The Go suite hands these texts to
// iptables or nft as they are; here they are read, so that neither program is needed, and what cannot be done is
// refused by name. Supported are the matches on addresses, interfaces, ports, protocols and marks of both languages.
namespace portmap {

/// The language of a condition list; a list without a first word is of neither.
enum class Syntax : std::uint8_t { none, iptables, nftables };
[[nodiscard]] Syntax syntax_of(std::span<const std::string> tokens);

struct AddressRange {
    inet::Address first, last;
};
struct PortRange {
    std::uint16_t first = 0, last = 0;
};
struct Mark {
    std::uint32_t value = 0, mask = UINT32_MAX;
};
struct InterfaceName {
    std::string name;
    bool prefix = false; ///< "eth*": every name that begins so
};
struct IpProtocol {
    std::uint8_t number = 0;
};

/// One comparison.
struct Match {
    enum class Field : std::uint8_t { saddr, daddr, iifname, oifname, mark, l4proto, sport, dport };
    using Value = std::variant<inet::Prefix, AddressRange, PortRange, Mark, InterfaceName, IpProtocol>;
    Field field{};
    bool negated = false;
    Value value;
};

/// In nft's words: `10.0.0.0/8`.
[[nodiscard]] std::string text(const Match::Value& value);
/// `ip saddr != 10.0.0.0/8`.
[[nodiscard]] std::string text(const Match& match);

/// A packet meets the conditions when every match of any one line holds.
struct Conditions {
    std::vector<std::vector<Match>> lines;
    [[nodiscard]] bool empty() const { return lines.empty(); }
};

/// One line of nft match text each, the same for the same meaning whatever the language it came in.
[[nodiscard]] std::string text(const Conditions& conditions);

/// `key` names the list in errors: `conditionsV4: "--ctstate": not supported; supported are …`.
[[nodiscard]] Conditions parse_conditions(std::string_view key, inet::Family family,
                                          std::span<const std::string> tokens);

} // namespace portmap
