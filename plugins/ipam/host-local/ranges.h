// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inet/address.h"

// What may be handed out. Pure: no files, no system calls.
namespace host_local {

/// One {subnet, rangeStart, rangeEnd, gateway} as the config gives it.
struct RangeSpec {
    std::optional<inet::Prefix> subnet;
    std::string mapped_subnet; ///< "::ffff:10.1.2.0/120": an IPv4 network with an IPv6 mask, refused by complete()
    std::optional<inet::Address> start, end, gateway;
};

/// One range, defaults filled in: addresses from start to end inclusive, but for the gateway.
struct Range {
    inet::Prefix subnet;
    inet::Address start, end, gateway;

    [[nodiscard]] bool contains(const inet::Address& address) const;
    [[nodiscard]] bool overlaps(const Range& other) const;
    [[nodiscard]] std::string text() const; ///< "start-end"
    /// How many addresses can be handed out, in words ("253"); "2^63 or more" when it is that many.
    [[nodiscard]] std::string size_text() const;
};

/// A pool of ranges of one family, from which an ADD takes one address.
struct RangeSet {
    std::vector<Range> ranges; ///< at least one

    [[nodiscard]] const Range* range_of(const inet::Address& address) const; ///< null when outside
    [[nodiscard]] bool contains(const inet::Address& address) const { return range_of(address) != nullptr; }
    [[nodiscard]] bool overlaps(const RangeSet& other) const;
    [[nodiscard]] inet::Family family() const { return ranges.front().start.family(); }
    [[nodiscard]] std::string text() const; ///< "a-b,c-d"
    [[nodiscard]] std::string size_text() const;
};

/// Checks a range and fills in its defaults; throws cni::Error in the Go suite's words, as the next two do.
[[nodiscard]] Range complete(const RangeSpec& spec);
[[nodiscard]] RangeSet complete_set(const std::vector<RangeSpec>& specs);
/// All sets of a config. `version` as the config writes it: before 0.3.0 a family may have one set only.
[[nodiscard]] std::vector<RangeSet> complete_sets(const std::vector<std::vector<RangeSpec>>& specs,
                                                  std::string_view version);

/// A stretch of one range, first to last inclusive.
struct Stretch {
    const Range* range;
    inet::Address first, last;
};

/// The order in which a set's addresses are tried: round robin, on from behind `last_reserved`, which itself
/// comes last. From the beginning when there is none, or when it is not in the set.
[[nodiscard]] std::vector<Stretch> round_robin(const RangeSet& set, const std::optional<inet::Address>& last_reserved);

} // namespace host_local
