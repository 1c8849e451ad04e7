// SPDX-License-Identifier: Apache-2.0
#include "used_addresses.h"

#include <algorithm>
#include <bit>
#include <span>

#include "os/hash.h"

namespace host_local {
namespace {

/// A way down the tree: the address's bytes, of which the one `level` from the end is the bit of that level.
struct Path {
    inet::Family family;
    std::array<std::uint8_t, 16> bytes{};

    explicit Path(const inet::Address& address) : family(address.family()) {
        std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
    }
    [[nodiscard]] unsigned levels() const { return inet::bits(family) / 8; }
    [[nodiscard]] std::uint8_t& byte(unsigned level) { return bytes[levels() - 1 - level]; }
    [[nodiscard]] inet::Address address() const {
        return inet::Address::from_bytes(std::span(bytes).first(levels())).value_or(inet::Address());
    }
    /// The node of `level` on this way, without bits.
    [[nodiscard]] Node node(unsigned level) const {
        Node node{.family = static_cast<std::uint8_t>(family), .level = static_cast<std::uint8_t>(level)};
        std::copy_n(bytes.begin(), levels() - 1 - level, node.prefix.begin());
        return node;
    }
};

struct Found {
    Node node;                     ///< without bits when the table has none
    std::optional<std::size_t> at; ///< where it is
};

Found look_up(SlotTable<Node>& nodes, const Path& path, unsigned level) {
    Node node = path.node(level);
    const auto at = nodes.find(node.hash(), [&](const Node& slot) {
        return slot.family == node.family && slot.level == node.level && slot.prefix == node.prefix;
    });
    return {at ? nodes.get(*at) : node, at};
}

void store(SlotTable<Node>& nodes, const Found& found) {
    if (!found.at)
        nodes.insert(found.node);
    else if (found.node.empty())
        nodes.erase(*found.at);
    else
        nodes.put(*found.at, found.node);
}

void flip(Node& node, unsigned bit) {
    node.bits[bit / 64] ^= std::uint64_t{1} << (bit % 64);
}

/// The v4-mapped stretch of the IPv6 space is no IPv6 address to inet::Address, nor to Go: no tree there.
bool same_family(const inet::Address& a, const inet::Address& b) {
    return a.family() == b.family();
}

} // namespace

std::uint64_t Node::hash() const {
    return os::hash_bytes(std::as_bytes(std::span(prefix)), std::uint64_t{family} << 8 | level);
}

unsigned Node::first_clear(unsigned from) const {
    for (unsigned word = from / 64; word < bits.size(); ++word) {
        const std::uint64_t below = word == from / 64 ? (std::uint64_t{1} << (from % 64)) - 1 : 0;
        const std::uint64_t taken = bits[word] | below;
        if (taken != UINT64_MAX)
            return word * 64 + static_cast<unsigned>(std::countr_one(taken));
    }
    return 256;
}

bool UsedAddresses::insert(const inet::Address& address) {
    Path path(address);
    for (unsigned level = 0; level < path.levels(); ++level) {
        Found found = look_up(nodes_, path, level);
        if (found.node.test(path.byte(level)))
            return level > 0;
        flip(found.node, path.byte(level));
        store(nodes_, found);
        if (!found.node.full())
            break;
    }
    return true;
}

bool UsedAddresses::erase(const inet::Address& address) {
    Path path(address);
    for (unsigned level = 0; level < path.levels(); ++level) {
        Found found = look_up(nodes_, path, level);
        if (!found.node.test(path.byte(level)))
            return level > 0;
        const bool was_full = found.node.full();
        flip(found.node, path.byte(level));
        store(nodes_, found);
        if (!was_full)
            break;
    }
    return true;
}

std::optional<inet::Address> UsedAddresses::next_free(const inet::Address& first, const inet::Address& last) {
    Path path(first);
    unsigned level = 0;
    // Up, until some node has room behind the way that was come.
    for (unsigned bit = path.byte(0);; bit = path.byte(level) + 1U) {
        const unsigned clear = bit < 256 ? look_up(nodes_, path, level).node.first_clear(bit) : 256;
        if (clear < 256) {
            path.byte(level) = static_cast<std::uint8_t>(clear);
            break;
        }
        if (++level == path.levels())
            return std::nullopt;
    }
    // Down again, to the first free address below.
    while (level > 0) {
        --level;
        path.byte(level) = 0;
        const unsigned clear = look_up(nodes_, path, level).node.first_clear(0);
        if (clear == 256)
            throw Unusable(); // its parent says that it is not full
        path.byte(level) = static_cast<std::uint8_t>(clear);
    }
    const inet::Address found = path.address();
    if (!same_family(found, last) || found > last)
        return std::nullopt;
    return found;
}

} // namespace host_local
