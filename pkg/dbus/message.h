// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// D-Bus messages as bytes (D-Bus Specification, "Message Protocol"): as much as calls with text arguments need.
namespace dbus {

/// A method call; every argument is a text without NUL.
struct Call {
    std::string destination, path, interface, member;
    std::vector<std::string> arguments;
};

/// An answer as far as it is looked at. Strings are UTF-8 from a stranger.
struct Reply {
    std::uint32_t serial = 0;        ///< of the call it answers
    std::string error;               ///< the error's name; empty: no error
    std::optional<std::string> text; ///< the first value when it is a string (an error's message)
    std::optional<bool> flag;        ///< the first value when it is a boolean
};

inline constexpr std::size_t header_start = 16; ///< enough of a message to know its size
inline constexpr std::size_t most_bytes = std::size_t{1} << 20;

[[nodiscard]] std::string encode(const Call& call, std::uint32_t serial);
/// How long the message is that begins with these `header_start` bytes; nothing when they begin none, or one that is
/// longer than `most_bytes`.
[[nodiscard]] std::optional<std::size_t> size_of(std::span<const std::uint8_t> start);
/// Nothing when the message answers no call (a signal) or is malformed.
[[nodiscard]] std::optional<Reply> decode(std::span<const std::uint8_t> message);

} // namespace dbus
