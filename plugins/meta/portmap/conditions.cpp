// SPDX-License-Identifier: Apache-2.0
#include "conditions.h"

#include <algorithm>
#include <charconv>

#include "conditions_parse.h"
#include "os/text.h"

namespace portmap {

namespace {

std::string hexadecimal(std::uint32_t value) {
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
    return "0x" + std::string(digits, end);
}

// Overloads for the alternatives of Match::value.
std::string value_text(const inet::Prefix& prefix) {
    return prefix.length == inet::bits(prefix.address.family()) ? prefix.address.text() : prefix.text();
}
std::string value_text(const AddressRange& range) {
    return os::cat(range.first.text(), "-", range.last.text());
}
std::string value_text(const PortRange& range) {
    return range.first == range.last ? os::cat(range.first) : os::cat(range.first, "-", range.last);
}
std::string value_text(const Mark& mark) {
    return hexadecimal(mark.value);
}
std::string value_text(const InterfaceName& interface) {
    return os::quote(os::cat(interface.name, interface.prefix ? "*" : ""));
}
std::string value_text(const IpProtocol& protocol) {
    return os::cat(protocol.number);
}

std::string field_text(const Match& match) {
    switch (match.field) {
    case Match::Field::saddr:
    case Match::Field::daddr: {
        const auto* prefix = std::get_if<inet::Prefix>(&match.value);
        const inet::Address& address = prefix ? prefix->address : std::get<AddressRange>(match.value).first;
        return os::cat(address.family() == inet::Family::v4 ? "ip" : "ip6",
                       match.field == Match::Field::saddr ? " saddr" : " daddr");
    }
    case Match::Field::iifname:
        return "iifname";
    case Match::Field::oifname:
        return "oifname";
    case Match::Field::mark: {
        const std::uint32_t mask = std::get<Mark>(match.value).mask;
        return mask == UINT32_MAX ? "meta mark" : os::cat("meta mark & ", hexadecimal(mask));
    }
    case Match::Field::l4proto:
        return "meta l4proto";
    case Match::Field::sport:
        return "th sport";
    case Match::Field::dport:
        return "th dport";
    }
    return "";
}

bool is_blank(const std::string& word) {
    return os::trim(word).empty();
}

} // namespace

Syntax syntax_of(std::span<const std::string> tokens) {
    if (tokens.empty() || tokens.front().empty())
        return Syntax::none;
    const char first = tokens.front().front();
    return first == '-' || first == '!' ? Syntax::iptables : Syntax::nftables;
}

std::string text(const Match::Value& value) {
    return std::visit([](const auto& alternative) { return value_text(alternative); }, value);
}

std::string text(const Match& match) {
    return os::cat(field_text(match), match.negated ? " != " : " ", text(match.value));
}

std::string text(const Conditions& conditions) {
    std::string lines;
    for (const auto& line : conditions.lines) {
        std::vector<std::string> matches;
        for (const Match& match : line)
            matches.push_back(text(match));
        lines += os::cat(os::join(matches, " "), "\n");
    }
    return lines;
}

Conditions parse_conditions(std::string_view key, inet::Family family, std::span<const std::string> tokens) {
    if (std::ranges::all_of(tokens, is_blank))
        return {};
    const std::string all = os::join(tokens, " ");
    const bool is_iptables = all[all.find_first_not_of(' ')] == '-' || all[all.find_first_not_of(' ')] == '!';
    ConditionReader reader(key, family, is_iptables ? iptables_words(tokens) : nftables_words(all));
    while (!reader.done())
        is_iptables ? read_iptables(reader) : read_nftables(reader);
    return reader.finish();
}

} // namespace portmap
