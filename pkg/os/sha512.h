// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace os {

/// SHA-512 (FIPS 180-4) as 128 lower-case hex digits. Needed for names only: the Go suite builds its
/// chain names and rule comments from it, and we derive the host veth's name the same way.
[[nodiscard]] std::string sha512_hex(std::string_view data);
/// Its first 64 bits: the first 16 of those digits.
[[nodiscard]] std::uint64_t sha512_start(std::string_view data);

} // namespace os
