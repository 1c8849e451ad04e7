// SPDX-License-Identifier: Apache-2.0
#include "conditions_parse.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "cni/error.h"
#include "os/text.h"

namespace portmap {

namespace {

constexpr std::size_t most_lines = 256;
constexpr std::size_t longest_ifname = 15;

// 255.255.240.0 is the network of the all-one address under /20.
std::optional<std::uint8_t> mask_length(const inet::Address& mask) {
    const inet::Address ones = inet::Prefix{.address = inet::Address::any(mask.family()), .length = 0}.last();
    for (unsigned length = 0; length <= inet::bits(mask.family()); ++length) {
        if (inet::Prefix{.address = ones, .length = static_cast<std::uint8_t>(length)}.network() == mask)
            return static_cast<std::uint8_t>(length);
    }
    return std::nullopt;
}

std::optional<inet::Prefix> parse_prefix(std::string_view word) {
    if (const auto prefix = inet::Prefix::parse(word))
        return prefix->masked();
    const auto slash = word.find('/');
    const auto address = inet::Address::parse(word.substr(0, slash));
    if (!address)
        return std::nullopt;
    if (slash == std::string_view::npos)
        return inet::Prefix{.address = *address, .length = static_cast<std::uint8_t>(inet::bits(address->family()))};
    const auto mask = inet::Address::parse(word.substr(slash + 1));
    const auto length = mask && mask->family() == address->family() ? mask_length(*mask) : std::nullopt;
    if (!length)
        return std::nullopt;
    return inet::Prefix{.address = *address, .length = *length}.masked();
}

std::optional<AddressRange> parse_range(std::string_view word) {
    const auto dash = word.find('-');
    if (dash == std::string_view::npos)
        return std::nullopt;
    const auto first = inet::Address::parse(word.substr(0, dash));
    const auto last = inet::Address::parse(word.substr(dash + 1));
    if (!first || !last || first->family() != last->family() || *last < *first)
        return std::nullopt;
    return AddressRange{.first = *first, .last = *last};
}

} // namespace

bool ConditionReader::skip(std::string_view word) {
    if (done() || words_[at_] != word)
        return false;
    ++at_;
    return true;
}

std::string_view ConditionReader::value_of(std::string_view option) {
    if (done())
        refuse(option, "needs a value");
    return take();
}

void ConditionReader::refuse(std::string_view word, std::string_view why) const {
    throw cni::Error(os::cat(key_, ": ", os::quote(word), ": ", why));
}

void ConditionReader::refuse_unsupported(std::string_view word) const {
    refuse(word, "not supported; supported are addresses, interfaces, ports, protocols and marks");
}

void ConditionReader::require(std::vector<Match> alternatives) {
    // "None of them" is a row of requirements, not a choice.
    if (!alternatives.empty() && alternatives.front().negated) {
        for (Match& match : alternatives)
            required_.push_back({std::move(match)});
    } else {
        required_.push_back(std::move(alternatives));
    }
}

Conditions ConditionReader::finish() const {
    Conditions conditions;
    if (required_.empty())
        return conditions;
    conditions.lines.emplace_back();
    for (const auto& alternatives : required_) {
        std::vector<std::vector<Match>> lines;
        for (const auto& line : conditions.lines) {
            for (const Match& match : alternatives) {
                lines.push_back(line);
                lines.back().push_back(match);
            }
        }
        if (lines.size() > most_lines)
            throw cni::Error(os::cat(key_, ": more than ", most_lines, " combinations of its lists"));
        conditions.lines = std::move(lines);
    }
    return conditions;
}

Match ConditionReader::address(Match::Field field, std::string_view word) const {
    const auto of_family = [&](const inet::Address& address) { return address.family() == family_; };
    if (const auto prefix = parse_prefix(word); prefix && of_family(prefix->address))
        return {.field = field, .negated = false, .value = *prefix};
    if (const auto range = parse_range(word); range && of_family(range->first))
        return {.field = field, .negated = false, .value = *range};
    refuse(word, os::cat("not an IPv", static_cast<unsigned>(family_), " address, prefix or range"));
}

Match ConditionReader::ports(Match::Field field, std::string_view word, char range_sign) const {
    const auto sign = word.find(range_sign);
    const bool is_range = sign != std::string_view::npos;
    const auto first = word.substr(0, sign);
    const auto last = is_range ? word.substr(sign + 1) : first;
    // iptables lets either end be left out: "1024:".
    const bool open = range_sign == ':' && is_range && word.size() > 1;
    const auto low = open && first.empty() ? std::optional<std::uint64_t>(0) : os::parse_uint(first, 65535);
    const auto high = open && last.empty() ? std::optional<std::uint64_t>(65535) : os::parse_uint(last, 65535);
    if (!low || !high || *high < *low)
        refuse(word, os::cat("not a port from 0 to 65535 or a range a", range_sign, "b of them"));
    return {.field = field,
            .negated = false,
            .value = PortRange{.first = static_cast<std::uint16_t>(*low), .last = static_cast<std::uint16_t>(*high)}};
}

Match ConditionReader::interface(Match::Field field, std::string_view word, char wildcard) const {
    InterfaceName interface { .name = std::string(word) };
    if (!interface.name.empty() && interface.name.back() == wildcard) {
        interface.name.pop_back();
        interface.prefix = true;
    }
    const auto unfit = [](unsigned char c) { return c == '/' || c == '"' || c == '*' || c <= ' ' || c == 0x7f; };
    if (interface.name.empty() || interface.name.size() > longest_ifname || std::ranges::any_of(interface.name, unfit))
        refuse(word, "not an interface name");
    return {.field = field, .negated = false, .value = std::move(interface)};
}

Match ConditionReader::protocol(std::string_view word) const {
    struct Name {
        std::string_view name;
        std::uint8_t number;
    };
    static constexpr Name names[] = {{"tcp", 6}, {"udp", 17}, {"sctp", 132}};
    const std::string name = os::lower(word);
    const auto* known = std::ranges::find(names, name, &Name::name);
    const auto number = known != std::end(names) ? known->number : os::parse_uint(word, 255);
    if (!number)
        refuse(word, "not a protocol: tcp, udp, sctp or a number");
    return {.field = Match::Field::l4proto,
            .negated = false,
            .value = IpProtocol{.number = static_cast<std::uint8_t>(*number)}};
}

std::uint32_t ConditionReader::number(std::string_view word) const {
    int base = 10;
    std::string_view digits = word;
    if (word.starts_with("0x") || word.starts_with("0X")) {
        base = 16;
        digits.remove_prefix(2);
    } else if (word.size() > 1 && word.front() == '0') {
        base = 8;
        digits.remove_prefix(1);
    }
    std::uint32_t value = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (failed != std::errc() || end != digits.data() + digits.size())
        refuse(word, "not a number of 32 bits");
    return value;
}

} // namespace portmap
