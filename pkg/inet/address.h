// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Addresses as values; no system calls. Text is read and printed as Go's net package does, since file names
// and results of the Go suite are made of it: IPv6 in RFC 5952 form with hex groups throughout.
namespace inet {

enum class Family : std::uint8_t { v4 = 4, v6 = 6 };
[[nodiscard]] constexpr unsigned bits(Family family) {
    return family == Family::v4 ? 32 : 128;
}

/// An IPv4 or IPv6 address. A v4-mapped IPv6 address becomes IPv4, as in Go.
class Address {
  public:
    constexpr Address() = default; ///< 0.0.0.0
    /// 4 or 16 bytes, network order.
    [[nodiscard]] static std::optional<Address> from_bytes(std::span<const std::uint8_t> bytes);
    /// "10.0.0.1", "fd00::1", "::ffff:10.0.0.1"; no zone, no leading zeros in IPv4, no blanks.
    [[nodiscard]] static std::optional<Address> parse(std::string_view text);
    /// All zero, of one family.
    [[nodiscard]] static Address any(Family family);
    /// Other bytes (4 or 16, as the family has), same family.
    [[nodiscard]] Address with_bytes(std::span<const std::uint8_t> bytes) const;

    [[nodiscard]] Family family() const { return family_; }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const {
        return {bytes_.data(), family_ == Family::v4 ? 4U : 16U};
    }
    [[nodiscard]] std::string text() const;

    /// The address `n` above; nothing past the end of the address space.
    [[nodiscard]] std::optional<Address> plus(std::uint64_t n) const;
    [[nodiscard]] std::optional<Address> next() const { return plus(1); }
    [[nodiscard]] std::optional<Address> previous() const;

    [[nodiscard]] bool is_unspecified() const;
    [[nodiscard]] bool is_loopback() const;

    /// Numeric order; IPv4 before IPv6.
    [[nodiscard]] auto operator<=>(const Address&) const = default;

  private:
    Family family_ = Family::v4;
    std::array<std::uint8_t, 16> bytes_{}; ///< IPv4 in the first four
};

/// An address with a prefix length; host bits are kept ("10.1.2.5/24").
struct Prefix {
    Address address;
    std::uint8_t length = 0;

    /// "ip/len"; the length within the family's bits.
    [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
    [[nodiscard]] std::string text() const;
    [[nodiscard]] Prefix masked() const;                       ///< host bits cleared
    [[nodiscard]] Address network() const;                     ///< first address
    [[nodiscard]] Address last() const;                        ///< all host bits set (the broadcast address in IPv4)
    [[nodiscard]] bool contains(const Address& address) const; ///< false across families
    [[nodiscard]] bool is_default() const;                     ///< 0.0.0.0/0 or ::/0
    [[nodiscard]] auto operator<=>(const Prefix&) const = default;
};

} // namespace inet
