// SPDX-License-Identifier: Apache-2.0
#include "cni/json_write.h"

#include <algorithm>
#include <cstddef>

#include "os/text.h"

namespace cni::json {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd"; // U+FFFD

void append_escaped(std::string& out, char c) {
    constexpr std::string_view plain = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    constexpr std::string_view digits = "0123456789abcdef";
    if (const auto at = plain.find(c); at != std::string_view::npos) {
        out += '\\';
        out += letters[at];
    } else if (const auto code = static_cast<unsigned char>(c); code < 0x20) {
        out += "\\u00";
        out += digits[code >> 4];
        out += digits[code & 0xf];
    } else {
        out += c;
    }
}

std::string bracketed(std::string_view brackets, const std::vector<std::string>& lines, unsigned depth) {
    std::string out(brackets.substr(0, 1));
    for (const std::string& line : lines) {
        out += &line == &lines.front() ? "\n" : ",\n";
        out.append(4 * (std::size_t{depth} + 1), ' ');
        out += line;
    }
    if (!lines.empty())
        out.append("\n").append(4 * std::size_t{depth}, ' ');
    return out += brackets[1];
}

} // namespace

std::string valid_utf8(std::string_view text) {
    if (std::ranges::none_of(text, [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; }))
        return std::string(text);
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = os::utf8_width(text);
        out += length > 0 ? text.substr(0, length) : replacement;
        text.remove_prefix(length > 0 ? length : 1);
    }
    return out;
}

std::string literal(std::string_view text) {
    std::string out = "\"";
    for (const char c : valid_utf8(text))
        append_escaped(out, c);
    return out += '"';
}

std::string object(const Members& members, unsigned depth) {
    std::vector<std::string> lines;
    for (const auto& [key, value] : members)
        lines.push_back(os::cat('"', key, "\": ", value));
    return bracketed("{}", lines, depth);
}

std::string list(const std::vector<std::string>& items, unsigned depth) {
    return bracketed("[]", items, depth);
}

} // namespace cni::json
