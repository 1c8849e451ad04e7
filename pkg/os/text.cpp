// SPDX-License-Identifier: Apache-2.0
#include "os/text.h"

#include <algorithm>
#include <charconv>

namespace os {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view white_space = " \t\n\v\f\r";

struct Rune {
    std::uint32_t code = 0;
    std::size_t width = 0; ///< bytes; 0: not valid UTF-8
};

Rune next_rune(std::string_view text) {
    const std::size_t width = utf8_width(text);
    const auto lead = static_cast<std::uint8_t>(text[0]);
    std::uint32_t code = width <= 1 ? lead : lead & (0x7fu >> width);
    for (const char c : text.substr(1, width > 1 ? width - 1 : 0))
        code = code << 6 | (static_cast<std::uint8_t>(c) & 0x3fu);
    return {code, width};
}

/// Go's unicode.IsPrint as far as it matters: control, format, separator and private characters do not print.
bool prints(std::uint32_t code) {
    struct Block {
        std::uint32_t first, last;
    };
    static constexpr Block hidden[] = {{0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},       {0x061c, 0x061c},
                                       {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f},   {0x2028, 0x202f},
                                       {0x205f, 0x206f}, {0x3000, 0x3000}, {0xe000, 0xf8ff},   {0xfeff, 0xfeff},
                                       {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xf0000, 0x10ffff}};
    for (const Block& block : hidden)
        if (code >= block.first && code <= block.last)
            return false;
    return true;
}

void append_hex(std::string& out, std::uint32_t value, unsigned digits) {
    while (digits-- > 0)
        out += hex_digits[value >> (4 * digits) & 0xf];
}

void append_escaped(std::string& out, std::uint32_t code) {
    constexpr std::string_view plain = "\a\b\f\n\r\t\v\\\"", letters = "abfnrtv\\\"";
    const auto at = code < 0x80 ? plain.find(static_cast<char>(code)) : std::string_view::npos;
    out += '\\';
    if (at != std::string_view::npos) {
        out += letters[at];
        return;
    }
    const unsigned digits = code < 0x80 ? 2 : code < 0x10000 ? 4 : 8;
    out += digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
    append_hex(out, code, digits);
}

} // namespace

detail::Digits detail::digits(std::uint64_t value, bool negative) {
    Digits out;
    out.text[0] = '-';
    char* const begin = out.text + (negative ? 1 : 0);
    const auto end = std::to_chars(begin, out.text + sizeof out.text, negative ? 0 - value : value).ptr;
    out.size = static_cast<std::size_t>(end - out.text);
    return out;
}

std::string detail::join(std::initializer_list<std::string_view> pieces) {
    std::size_t size = 0;
    for (const std::string_view piece : pieces)
        size += piece.size();
    std::string out;
    out.reserve(size);
    for (const std::string_view piece : pieces)
        out += piece;
    return out;
}

std::optional<std::uint64_t> parse_uint(std::string_view text, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size() || value > max)
        return std::nullopt;
    return value;
}

// Overlong forms, surrogates and what lies beyond U+10FFFF differ from valid sequences in the second byte already.
std::size_t utf8_width(std::string_view text) {
    const auto first = static_cast<std::uint8_t>(text[0]);
    if (first < 0x80)
        return 1;
    const std::size_t width = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (width == 0 || text.size() < width)
        return 0;
    const auto second = static_cast<std::uint8_t>(text[1]);
    const bool out_of_range = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                              (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    const auto continues = [](char c) { return (static_cast<std::uint8_t>(c) & 0xc0) == 0x80; };
    return !out_of_range && std::ranges::all_of(text.substr(1, width - 1), continues) ? width : 0;
}

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes)
        append_hex(out, byte, 2);
    return out;
}

std::string quote(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const Rune rune = next_rune(text);
        const std::size_t width = rune.width == 0 ? 1 : rune.width;
        if (rune.width == 0) {
            out += "\\x";
            append_hex(out, static_cast<std::uint8_t>(text[0]), 2);
        } else if (rune.code == '"' || rune.code == '\\' || !prints(rune.code)) {
            append_escaped(out, rune.code);
        } else {
            out += text.substr(0, width);
        }
        text.remove_prefix(width);
    }
    return out += '"';
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(white_space);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return parts;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    for (text = trim(text); !text.empty(); text = trim(text)) {
        found.push_back(text.substr(0, text.find_first_of(white_space)));
        text.remove_prefix(found.back().size());
    }
    return found;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i)
        out += cat(i == 0 ? std::string_view() : separator, parts[i]);
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

} // namespace os
