// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace os {

/// FNV-1a, mixed so that every bit of the result is good for a table's slot number. Not against an opponent: for those
/// who choose the bytes collisions are easy to find.
[[nodiscard]] std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t seed);

} // namespace os
