// SPDX-License-Identifier: Apache-2.0
#include "ranges.h"

#include <algorithm>
#include <cstdint>

#include "cni/error.h"
#include "cni/version.h"
#include "os/text.h"

namespace host_local {
namespace {

/// More than anyone counts; all sizes stop here.
constexpr std::uint64_t uncountable = std::uint64_t{1} << 63;

std::uint64_t add_saturating(std::uint64_t a, std::uint64_t b) {
    return std::min(uncountable, std::min(uncountable, a) + std::min(uncountable - 1, b));
}

std::uint64_t as_number(std::span<const std::uint8_t> bytes) {
    std::uint64_t number = 0;
    for (const std::uint8_t byte : bytes)
        number = number << 8 | byte;
    return number;
}

/// last - first + 1, at most `uncountable`.
std::uint64_t distance(const inet::Address& first, const inet::Address& last) {
    const auto a = first.bytes(), b = last.bytes();
    const std::size_t high = a.size() > 8 ? 8 : 0;
    const std::uint64_t low = as_number(b.subspan(high)) - as_number(a.subspan(high));
    const bool borrow = as_number(b.subspan(high)) < as_number(a.subspan(high));
    if (as_number(b.first(high)) - as_number(a.first(high)) != (borrow ? 1U : 0U))
        return uncountable;
    return add_saturating(low, 1);
}

std::uint64_t size_of(const Range& range) {
    const std::uint64_t all = distance(range.start, range.end);
    return all != uncountable && range.contains(range.gateway) ? all - 1 : all;
}

std::string count_text(std::uint64_t count) {
    return count == uncountable ? "2^63 or more" : os::cat(count);
}

inet::Prefix checked_subnet(const RangeSpec& spec) {
    if (!spec.mapped_subnet.empty())
        throw cni::Error("IPNet IP and Mask version mismatch");
    if (!spec.subnet)
        throw cni::Error("IP <nil> not v4 nor v6");

    const inet::Prefix& subnet = *spec.subnet;
    if (subnet.length > inet::bits(subnet.address.family()) - 2)
        throw cni::Error(os::cat("Network ", subnet.text(), " too small to allocate from"));
    if (subnet.network() != subnet.address)
        throw cni::Error(os::cat("Network has host bits set. For a subnet mask of length ", subnet.length,
                                 " the network address is ", subnet.network().text()));
    return subnet;
}

/// IPv4 keeps the broadcast address back; IPv6 has none.
inet::Address default_end(const inet::Prefix& subnet) {
    return subnet.address.family() == inet::Family::v4 ? *subnet.last().previous() : subnet.last();
}

} // namespace

bool Range::contains(const inet::Address& address) const {
    return subnet.contains(address) && start <= address && address <= end;
}

bool Range::overlaps(const Range& other) const {
    return start.family() == other.start.family() &&
           (contains(other.start) || contains(other.end) || other.contains(start) || other.contains(end));
}

std::string Range::text() const {
    return os::cat(start.text(), "-", end.text());
}

std::string Range::size_text() const {
    return count_text(size_of(*this));
}

const Range* RangeSet::range_of(const inet::Address& address) const {
    for (const Range& range : ranges)
        if (range.contains(address))
            return &range;
    return nullptr;
}

bool RangeSet::overlaps(const RangeSet& other) const {
    for (const Range& mine : ranges)
        for (const Range& theirs : other.ranges)
            if (mine.overlaps(theirs))
                return true;
    return false;
}

std::string RangeSet::text() const {
    std::string text;
    for (const Range& range : ranges)
        text += (text.empty() ? "" : ",") + range.text();
    return text;
}

std::string RangeSet::size_text() const {
    std::uint64_t size = 0;
    for (const Range& range : ranges)
        size = add_saturating(size, size_of(range));
    return count_text(size);
}

Range complete(const RangeSpec& spec) {
    const inet::Prefix subnet = checked_subnet(spec);
    const inet::Address first = *subnet.address.next();
    Range range{.subnet = subnet, .start = first, .end = subnet.last(), .gateway = spec.gateway.value_or(first)};

    if (spec.start) {
        // A start behind the end is the start's fault: the end is compared first.
        if (!subnet.contains(*spec.start) || (spec.end && *spec.start > *spec.end))
            throw cni::Error(os::cat("RangeStart ", spec.start->text(), " not in network ", subnet.text()));
        range.start = *spec.start;
    }
    if (spec.end && (!subnet.contains(*spec.end) || *spec.end < range.start))
        throw cni::Error(os::cat("RangeEnd ", spec.end->text(), " not in network ", subnet.text()));
    // The broadcast address alone, when that is the start; the Go suite goes on behind the subnet's end.
    range.end = spec.end.value_or(std::max(default_end(subnet), range.start));
    return range;
}

RangeSet complete_set(const std::vector<RangeSpec>& specs) {
    if (specs.empty())
        throw cni::Error("empty range set");

    RangeSet set;
    for (const RangeSpec& spec : specs) {
        set.ranges.push_back(complete(spec));
        if (set.ranges.back().start.family() != set.family())
            throw cni::Error("mixed address families");
    }
    for (std::size_t i = 0; i < set.ranges.size(); ++i)
        for (std::size_t j = i + 1; j < set.ranges.size(); ++j)
            if (set.ranges[i].overlaps(set.ranges[j]))
                throw cni::Error(os::cat("subnets ", set.ranges[i].text(), " and ", set.ranges[j].text(), " overlap"));
    return set;
}

std::vector<RangeSet> complete_sets(const std::vector<std::vector<RangeSpec>>& specs, std::string_view version) {
    if (specs.empty())
        throw cni::Error("no IP ranges specified");

    std::vector<RangeSet> sets;
    std::size_t v4 = 0, v6 = 0;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        sets.push_back(cni::prefixed(os::cat("invalid range set ", i, ": "), [&] { return complete_set(specs[i]); }));
        ++(sets.back().family() == inet::Family::v4 ? v4 : v6);
    }
    const bool one_only = version.empty() || cni::Version::parse(version) < cni::Version{0, 3, 0};
    if ((v4 > 1 || v6 > 1) && one_only)
        throw cni::Error(os::cat("CNI version ", version, " does not support more than 1 address per family"));

    for (std::size_t i = 0; i < sets.size(); ++i)
        for (std::size_t j = i + 1; j < sets.size(); ++j)
            if (sets[i].overlaps(sets[j]))
                throw cni::Error(os::cat("range set ", i, " overlaps with ", j));
    return sets;
}

std::vector<Stretch> round_robin(const RangeSet& set, const std::optional<inet::Address>& last_reserved) {
    const Range* from = last_reserved ? set.range_of(*last_reserved) : nullptr;
    std::vector<Stretch> stretches;
    if (from == nullptr) {
        for (const Range& range : set.ranges)
            stretches.push_back({.range = &range, .first = range.start, .last = range.end});
        return stretches;
    }

    if (*last_reserved != from->end)
        stretches.push_back({.range = from, .first = *last_reserved->next(), .last = from->end});
    const std::size_t count = set.ranges.size();
    const auto at = static_cast<std::size_t>(from - set.ranges.data());
    for (std::size_t i = 1; i < count; ++i) {
        const Range& range = set.ranges[(at + i) % count];
        stretches.push_back({.range = &range, .first = range.start, .last = range.end});
    }
    stretches.push_back({.range = from, .first = from->start, .last = *last_reserved});
    return stretches;
}

} // namespace host_local
