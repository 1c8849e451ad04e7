// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "os/hash.h"
#include "region.h"

namespace host_local {

/// A hash table of fixed-size slots in a Region: open addressing, linear probing, deletion by backward shift (so
/// a table that has seen a million leases come and go is as quick as a new one).
///
/// A Slot is plain data without padding, all zero when free, with `bool free() const`, `std::uint64_t hash()
/// const` and a member `std::uint16_t check`, which the table fills in and verifies: the file is not trusted.
template <typename Slot> class SlotTable {
    static_assert(std::is_trivially_copyable_v<Slot> && std::has_unique_object_representations_v<Slot>);

  public:
    static constexpr std::size_t least_capacity = 64;

    /// Empty, in memory.
    SlotTable() : region_(least_capacity * sizeof(Slot)) {}
    /// As it stands in `region`, whose size must be a power of two of slots.
    SlotTable(Region region, std::size_t count) : region_(std::move(region)), count_(count) {}

    [[nodiscard]] std::size_t capacity() const { return region_.size() / sizeof(Slot); }
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] Region& region() { return region_; }
    [[nodiscard]] const Region& region() const { return region_; }

    [[nodiscard]] Slot get(std::size_t at) {
        Slot slot{};
        region_.read(at * sizeof(Slot), std::as_writable_bytes(std::span(&slot, 1)));
        if (slot.free() ? std::memcmp(&slot, &blank, sizeof slot) != 0 : slot.check != check_of(slot))
            throw Unusable();
        return slot;
    }

    void put(std::size_t at, Slot slot) {
        if (!slot.free())
            slot.check = check_of(slot);
        region_.write(at * sizeof(Slot), std::as_bytes(std::span(&slot, 1)));
    }

    /// Where the first slot with this hash is for which `match(slot)` holds.
    template <typename Match> [[nodiscard]] std::optional<std::size_t> find(std::uint64_t hash, Match&& match) {
        for (std::size_t step = 0, at = home(hash); step < capacity(); ++step, at = after(at)) {
            const Slot slot = get(at);
            if (slot.free())
                return std::nullopt;
            if (slot.hash() == hash && match(slot))
                return at;
        }
        throw Unusable(); // a table is never full
    }

    void insert(const Slot& slot) {
        if ((count_ + 1) * 10 > capacity() * 7)
            grow();
        put(first_free(slot.hash()), slot);
        ++count_;
    }

    /// Frees the slot, and moves up those behind it that had to make way for it.
    void erase(std::size_t hole) {
        std::size_t at = hole;
        for (std::size_t step = 0; step < capacity(); ++step) {
            at = after(at);
            const Slot slot = get(at);
            if (slot.free()) {
                put(hole, blank);
                count_ -= count_ > 0 ? 1 : 0;
                return;
            }
            if (distance(home(slot.hash()), at) >= distance(hole, at)) {
                put(hole, slot);
                hole = at;
            }
        }
        throw Unusable();
    }

    template <typename Visit> void for_each(Visit&& visit) {
        for (std::size_t at = 0; at < capacity(); ++at)
            if (const Slot slot = get(at); !slot.free())
                visit(slot);
    }

  private:
    static constexpr Slot blank{};

    [[nodiscard]] std::size_t mask() const { return capacity() - 1; }
    [[nodiscard]] std::size_t home(std::uint64_t hash) const { return static_cast<std::size_t>(hash) & mask(); }
    [[nodiscard]] std::size_t after(std::size_t at) const { return (at + 1) & mask(); }
    [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const { return (to - from) & mask(); }

    [[nodiscard]] std::size_t first_free(std::uint64_t hash) {
        std::size_t at = home(hash);
        for (std::size_t step = 0; step < capacity(); ++step, at = after(at))
            if (get(at).free())
                return at;
        throw Unusable();
    }

    void grow() {
        SlotTable bigger(Region(region_.size() * 2), count_);
        for_each([&](const Slot& slot) { bigger.put(bigger.first_free(slot.hash()), slot); });
        *this = std::move(bigger);
    }

    [[nodiscard]] static std::uint16_t check_of(Slot slot) {
        slot.check = 0;
        // Not zero: a slot that was only half written must not pass.
        return static_cast<std::uint16_t>(os::hash_bytes(std::as_bytes(std::span(&slot, 1)), sizeof slot) | 1U);
    }

    Region region_;
    std::size_t count_ = 0;
};

} // namespace host_local
