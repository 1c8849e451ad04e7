// SPDX-License-Identifier: Apache-2.0
#include "inet/mac.h"

#include <cstddef>

namespace inet {

namespace {

std::optional<std::uint8_t> hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return static_cast<std::uint8_t>(c - '0');
    const auto letter = static_cast<char>(c | 0x20);
    if (letter >= 'a' && letter <= 'f')
        return static_cast<std::uint8_t>(letter - 'a' + 10);
    return std::nullopt;
}

/// Six bytes with `separator` behind every `group` of them.
std::optional<Mac> parse_grouped(std::string_view text, char separator, std::size_t group) {
    Mac mac;
    std::size_t at = 0;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        if (i > 0 && i % group == 0 && text[at++] != separator)
            return std::nullopt;
        const auto high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (!high || !low)
            return std::nullopt;
        mac.bytes[i] = static_cast<std::uint8_t>(*high * 16 + *low);
        at += 2;
    }
    return mac;
}

} // namespace

std::optional<Mac> Mac::parse(std::string_view text) {
    if (text.size() == 17 && (text[2] == ':' || text[2] == '-'))
        return parse_grouped(text, text[2], 1);
    if (text.size() == 14 && text[4] == '.')
        return parse_grouped(text, '.', 2);
    return std::nullopt;
}

std::string Mac::text() const {
    if (*this == Mac{})
        return {};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const std::uint8_t byte : bytes) {
        if (!out.empty())
            out += ':';
        out += digits[byte >> 4];
        out += digits[byte & 0xf];
    }
    return out;
}

} // namespace inet
