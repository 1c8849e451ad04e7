// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace os {

namespace detail {
/// What is not text yet.
struct Digits {
    char text[24];
    std::size_t size;
    explicit operator std::string_view() const { return {text, size}; }
};
[[nodiscard]] Digits digits(std::uint64_t value, bool negative);

inline std::string_view piece(std::string_view text) {
    return text;
}
inline Digits piece(char letter) {
    return {{letter}, 1};
}
template <std::integral T>
requires(!std::same_as<T, char> && !std::same_as<T, bool>) Digits piece(T value) {
    return digits(static_cast<std::uint64_t>(value), std::signed_integral<T> && value < 0);
}
[[nodiscard]] std::string join(std::initializer_list<std::string_view> pieces);
} // namespace detail

/// Joins strings, characters and integers: the only formatting this suite needs. One function does it for all types and
/// lengths of literals: templates that append each were 16 KB of `bridge`.
template <typename... Pieces> [[nodiscard]] std::string cat(const Pieces&... pieces) {
    return detail::join({std::string_view(detail::piece(pieces))...});
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
