// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Traffic control as values: queueing disciplines, their classes and filters. Rates are bytes a second.
namespace netlink {

enum class Index : int;

/// "major:minor" of a queueing discipline (minor 0) or class.
enum class Handle : std::uint32_t {};
[[nodiscard]] constexpr Handle handle(std::uint16_t major, std::uint16_t minor) {
    return Handle{(std::uint32_t{major} << 16) | minor};
}
/// What a discipline hangs on: the way out of a link, and the way in.
inline constexpr Handle way_out{0xFFFFFFFFU}, way_in{0xFFFFFFF1U};
/// The way in has but one discipline.
inline constexpr Handle ingress_handle = handle(0xFFFF, 0);

/// The unit of the kernel's bucket sizes: this many make a microsecond, in every kernel since 2.6.31.
inline constexpr std::uint64_t ticks_a_millisecond = 15625;

struct TokenBucket {
    std::uint64_t rate = 0;
    std::uint32_t limit = 0;  ///< bytes that may wait
    std::uint32_t buffer = 0; ///< the bucket's size: ticks that filling it takes at `rate`
    bool operator==(const TokenBucket&) const = default;
};

struct HtbClass {
    Handle id{};
    std::uint64_t rate = 0, ceil = 0;
    std::uint32_t buffer = 0;  ///< ticks, as TokenBucket's; for `ceil` too
    std::uint32_t quantum = 0; ///< bytes in a turn; 0: the kernel chooses, and complains in its log
    bool operator==(const HtbClass&) const = default;
};

struct Fifo {
    bool counts_bytes = false; ///< otherwise packets
    std::uint32_t limit = 0;
};

/// A discipline as CHECK needs it.
struct Qdisc {
    std::string kind;
    Handle id{};
    std::optional<TokenBucket> tbf;
    std::optional<std::uint32_t> htb_default; ///< minor of the class for what no filter takes
};

/// Four bytes of a packet, counted from its network header.
struct U32Key {
    std::int32_t offset = 0;
    std::uint32_t mask = 0, value = 0; ///< host byte order
    bool operator==(const U32Key&) const = default;
};

/// A u32 filter: what matches all keys goes to a class, and on to another link.
struct Filter {
    Handle parent{};
    std::uint16_t priority = 0, protocol = 0; ///< protocol: ETH_P_*
    Handle class_id{};
    std::vector<U32Key> keys; ///< none: everything of the protocol
    std::optional<Index> redirect_to;
    bool operator==(const Filter&) const = default;
};

} // namespace netlink
