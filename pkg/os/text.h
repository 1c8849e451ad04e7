// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace os {

namespace detail {
inline void append(std::string& out, std::string_view piece) {
    out += piece;
}
inline void append(std::string& out, char piece) {
    out += piece;
}
template <std::integral T>
requires(!std::same_as<T, char> && !std::same_as<T, bool>) void append(std::string& out, T value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, end);
}
} // namespace detail

/// Joins strings, characters and integers: the only formatting this suite needs.
template <typename... Pieces> [[nodiscard]] std::string cat(const Pieces&... pieces) {
    std::string out;
    (detail::append(out, pieces), ...);
    return out;
}

/// The whole text as a decimal number of at most `max`; nothing otherwise (no sign, no blanks).
[[nodiscard]] std::optional<std::uint64_t> parse_uint(std::string_view text, std::uint64_t max = UINT64_MAX);
/// Lower-case hexadecimal digits.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);
/// Double-quoted the way Go's %q prints: \" \\ \n \t \xNN escapes for what does not print.
[[nodiscard]] std::string quote(std::string_view text);
/// How many bytes the valid UTF-8 sequence at the front of `text` has, which must not be empty; 0 when there is none.
[[nodiscard]] std::size_t utf8_width(std::string_view text);
/// White space (blank, \t, \n, \v, \f, \r) cut from both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
/// Parts between separators, empty ones included: "a;;b" has three, "" has one.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
/// Parts between white space as trim() knows it, none of them empty.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
/// ASCII letters folded to lower case.
[[nodiscard]] std::string lower(std::string_view text);

} // namespace os
