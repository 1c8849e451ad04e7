// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "inet/address.h"
#include "slot_table.h"

namespace host_local {

/// 256 bits of the address tree. At level 0 a bit is an address that is used; at level n it is a child of level
/// n-1 with all its 256 bits set. A node exists as long as it has a bit.
struct Node {
    std::uint8_t family = 0; ///< inet::Family; 0: a free slot
    std::uint8_t level = 0;
    std::uint16_t check = 0;
    std::uint32_t zero = 0;
    std::array<std::uint8_t, 16> prefix{}; ///< the address bytes above the node's own, then zeros
    std::array<std::uint64_t, 4> bits{};

    [[nodiscard]] bool free() const { return family == 0; }
    [[nodiscard]] std::uint64_t hash() const;
    [[nodiscard]] bool test(unsigned bit) const { return (bits[bit / 64] >> (bit % 64) & 1) != 0; }
    [[nodiscard]] bool empty() const { return (bits[0] | bits[1] | bits[2] | bits[3]) == 0; }
    [[nodiscard]] bool full() const { return (bits[0] & bits[1] & bits[2] & bits[3]) == UINT64_MAX; }
    /// The first bit from `from` on that is clear; 256 when there is none.
    [[nodiscard]] unsigned first_clear(unsigned from) const;
};

/// The set of addresses in use, as a tree over address bytes kept in a hash table. Finding the next free one
/// costs a few look-ups, whatever the range's size and however full it is.
class UsedAddresses {
  public:
    UsedAddresses() = default;
    explicit UsedAddresses(SlotTable<Node> nodes) : nodes_(std::move(nodes)) {}

    bool insert(const inet::Address& address); ///< false: was in
    bool erase(const inet::Address& address);  ///< false: was not in
    /// The first address from `first` to `last` inclusive that is not in.
    [[nodiscard]] std::optional<inet::Address> next_free(const inet::Address& first, const inet::Address& last);

    [[nodiscard]] SlotTable<Node>& nodes() { return nodes_; }
    [[nodiscard]] const SlotTable<Node>& nodes() const { return nodes_; }

  private:
    SlotTable<Node> nodes_;
};

} // namespace host_local
