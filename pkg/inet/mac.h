// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace inet {

/// A 48-bit hardware address.
struct Mac {
    std::array<std::uint8_t, 6> bytes{};

    /// "02:ab:…", "02-ab-…" or "02ab.cdef.0123", as Go's ParseMAC reads 48-bit addresses.
    [[nodiscard]] static std::optional<Mac> parse(std::string_view text);
    /// Lower-case colon form; all zero prints as "" (the Go suite's habit for "has none").
    [[nodiscard]] std::string text() const;
    [[nodiscard]] auto operator<=>(const Mac&) const = default;
};

} // namespace inet
