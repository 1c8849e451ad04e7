// SPDX-License-Identifier: Apache-2.0
#include "inet/address.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace inet {

namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t v6_groups = 8;

using V6Bytes = std::array<std::uint8_t, 16>;

/// At most `most_digits` digits at the front of `text`, which are cut off it.
std::optional<unsigned> take_number(std::string_view& text, int base, std::size_t most_digits) {
    unsigned value = 0;
    const std::string_view digits = text.substr(0, most_digits);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc())
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - digits.data()));
    return value;
}

bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected))
        return false;
    text.remove_prefix(expected.size());
    return true;
}

// A leading zero is refused as in Go: some resolvers read such a part as octal.
std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
    std::array<std::uint8_t, 4> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0 && !take(text, "."))
            return std::nullopt;
        if (text.size() > 1 && text[0] == '0' && text[1] != '.')
            return std::nullopt;
        const auto part = take_number(text, 10, 3);
        if (!part || *part > 255)
            return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(*part);
    }
    return text.empty() ? std::optional(bytes) : std::nullopt;
}

/// The four bytes of a dotted IPv4 ending ("::ffff:10.0.0.1"), put at `at`.
bool put_v4_ending(std::string_view text, V6Bytes& bytes, std::size_t at) {
    const auto v4 = at <= 12 ? parse_v4(text) : std::nullopt;
    if (v4)
        std::copy(v4->begin(), v4->end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return v4.has_value();
}

/// Opens the gap that "::" stands for: what was read behind it moves to the end.
void expand_ellipsis(V6Bytes& bytes, std::size_t ellipsis, std::size_t filled) {
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(ellipsis);
    const auto to = bytes.begin() + static_cast<std::ptrdiff_t>(filled);
    std::fill(from, std::move_backward(from, to, bytes.end()), std::uint8_t{0});
}

std::optional<V6Bytes> parse_v6(std::string_view text) {
    V6Bytes bytes{};
    std::optional<std::size_t> ellipsis;
    std::size_t filled = 0;
    if (take(text, "::"))
        ellipsis = 0;
    while (!text.empty() && filled < bytes.size()) {
        const std::string_view rest = text;
        const auto group = take_number(text, 16, 4);
        if (!group)
            return std::nullopt;
        if (text.starts_with('.')) {
            if (!put_v4_ending(rest, bytes, filled))
                return std::nullopt;
            filled += 4;
            text = {};
            break;
        }
        bytes[filled++] = static_cast<std::uint8_t>(*group >> 8);
        bytes[filled++] = static_cast<std::uint8_t>(*group & 0xff);
        if (!ellipsis && take(text, "::")) {
            ellipsis = filled;
        } else if (!text.empty() && (!take(text, ":") || text.empty())) {
            return std::nullopt;
        }
    }
    // An ellipsis stands for one group at least, in Go as here.
    if (!text.empty() || (filled < bytes.size()) != ellipsis.has_value())
        return std::nullopt;
    if (ellipsis)
        expand_ellipsis(bytes, *ellipsis, filled);
    return bytes;
}

struct ZeroRun {
    std::size_t begin = 0, length = 0;
};

/// The first of the longest runs of zero groups: what RFC 5952 writes as "::". One group alone is not shortened.
ZeroRun longest_zero_run(std::span<const std::uint8_t> bytes) {
    ZeroRun longest{}, run{};
    for (std::size_t group = 0; group < v6_groups; ++group) {
        const bool zero = bytes[2 * group] == 0 && bytes[2 * group + 1] == 0;
        run = zero ? ZeroRun{run.length == 0 ? group : run.begin, run.length + 1} : ZeroRun{};
        if (run.length > longest.length)
            longest = run;
    }
    return longest.length > 1 ? longest : ZeroRun{};
}

void append_number(std::string& out, unsigned value, int base) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
    out.append(digits.data(), end);
}

std::string v4_text(std::span<const std::uint8_t> bytes) {
    std::string out;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0)
            out += '.';
        append_number(out, bytes[i], 10);
    }
    return out;
}

std::string v6_text(std::span<const std::uint8_t> bytes) {
    const ZeroRun zeros = longest_zero_run(bytes);
    std::string out;
    for (std::size_t group = 0; group < v6_groups; ++group) {
        if (zeros.length > 0 && group == zeros.begin) {
            out += "::";
            group += zeros.length - 1;
            continue;
        }
        if (!out.empty() && !out.ends_with(':'))
            out += ':';
        append_number(out, bytes[2 * group] * 256U + bytes[2 * group + 1], 16);
    }
    return out;
}

/// Sets or clears every bit behind the first `length`.
Address with_host_bits(const Address& address, unsigned length, bool set) {
    V6Bytes bytes{};
    const auto given = address.bytes();
    std::copy(given.begin(), given.end(), bytes.begin());
    for (std::size_t i = length / 8; i < given.size(); ++i) {
        const unsigned kept = i == length / 8 ? length % 8 : 0;
        const auto host = static_cast<std::uint8_t>(0xffU >> kept);
        bytes[i] = static_cast<std::uint8_t>(set ? bytes[i] | host : bytes[i] & ~host);
    }
    return address.with_bytes(std::span(bytes).first(given.size()));
}

} // namespace

std::optional<Address> Address::from_bytes(std::span<const std::uint8_t> bytes) {
    if (bytes.size() == 16 && std::equal(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), bytes.begin()))
        bytes = bytes.last(4);
    if (bytes.size() != 4 && bytes.size() != 16)
        return std::nullopt;
    return any(bytes.size() == 4 ? Family::v4 : Family::v6).with_bytes(bytes);
}

std::optional<Address> Address::parse(std::string_view text) {
    if (text.find(':') == std::string_view::npos) {
        const auto v4 = parse_v4(text);
        return v4 ? from_bytes(*v4) : std::nullopt;
    }
    const auto v6 = parse_v6(text);
    return v6 ? from_bytes(*v6) : std::nullopt;
}

Address Address::any(Family family) {
    Address address;
    address.family_ = family;
    return address;
}

Address Address::with_bytes(std::span<const std::uint8_t> bytes) const {
    Address address = any(family_);
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

std::string Address::text() const {
    return family_ == Family::v4 ? v4_text(bytes()) : v6_text(bytes());
}

std::optional<Address> Address::plus(std::uint64_t n) const {
    Address sum = *this;
    for (std::size_t i = bytes().size(); i-- > 0;) {
        const std::uint64_t byte = sum.bytes_[i] + (n & 0xff);
        sum.bytes_[i] = static_cast<std::uint8_t>(byte);
        n = (n >> 8) + (byte >> 8);
    }
    return n == 0 ? std::optional(sum) : std::nullopt;
}

std::optional<Address> Address::previous() const {
    Address before = *this;
    for (std::size_t i = bytes().size(); i-- > 0;) {
        if (before.bytes_[i]-- != 0)
            return before;
    }
    return std::nullopt;
}

bool Address::is_unspecified() const {
    return *this == any(family_);
}

bool Address::is_loopback() const {
    return family_ == Family::v4 ? bytes_[0] == 127 : any(family_).plus(1) == *this;
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos)
        return std::nullopt;
    const std::string_view address_text = text.substr(0, slash);
    std::string_view length_text = text.substr(slash + 1);
    const auto address = Address::parse(address_text);
    auto length = take_number(length_text, 10, 8);
    if (!address || !length || !length_text.empty())
        return std::nullopt;
    // The length of "::ffff:10.0.0.0/120" counts the 96 bits that the mapping put in front.
    if (address->family() == Family::v4 && address_text.find(':') != std::string_view::npos) {
        if (*length < 96)
            return std::nullopt;
        *length -= 96;
    }
    if (*length > bits(address->family()))
        return std::nullopt;
    return Prefix{*address, static_cast<std::uint8_t>(*length)};
}

std::string Prefix::text() const {
    std::string out = address.text();
    out += '/';
    append_number(out, length, 10);
    return out;
}

Prefix Prefix::masked() const {
    return {network(), length};
}

Address Prefix::network() const {
    return with_host_bits(address, length, false);
}

Address Prefix::last() const {
    return with_host_bits(address, length, true);
}

bool Prefix::contains(const Address& other) const {
    return other.family() == address.family() && Prefix{other, length}.network() == network();
}

bool Prefix::is_default() const {
    return length == 0 && address.is_unspecified();
}

} // namespace inet
