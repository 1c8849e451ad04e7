// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inet/address.h"
#include "inet/mac.h"
#include "nftables/bytes.h"
#include "nftables/socket.h"

namespace nft {

/// Fields of set keys and map data in the kernel's layout: network order, each padded to 4 bytes.
void append_address(Bytes& bytes, const inet::Address& address);
void append_proto(Bytes& bytes, std::uint8_t protocol);
void append_port(Bytes& bytes, std::uint16_t port); ///< host order in
void append_mac(Bytes& bytes, const inet::Mac& mac);
void append_ifname(Bytes& bytes, std::string_view name); ///< 16 bytes, zero-padded
void append_mark(Bytes& bytes, std::uint32_t mark);      ///< host order, as the kernel keeps marks
[[nodiscard]] Bytes key_of(const inet::Address& address);

/// One element of a set, a map (data) or a verdict map (jump). `owner` is its comment, as `nft list` prints it.
struct Element {
    std::string set;
    Bytes key;
    Bytes key_end{}; ///< of an interval: its last key; the kernel takes `key` for its first
    Bytes data;
    std::string jump; ///< the chain a verdict map jumps to
    std::string owner;
};

/// One element by key, or the interval that covers it: cost independent of the set's size. Nothing when it, its set or
/// its table is not there.
[[nodiscard]] std::optional<Element> find(Socket& socket, const Table& table, const std::string& set, const Bytes& key);
/// The same for many keys (set, key), asked a few dozen at a time where neighbours are of one set: an answer for each.
[[nodiscard]] std::vector<std::optional<Element>> find_each(Socket& socket, const Table& table,
                                                            std::span<const Element> keys);
/// All elements of a set: for GC, CHECK and a DEL that has lost its config. Empty when the set is not there.
[[nodiscard]] std::vector<Element> list(Socket& socket, const Table& table, const std::string& set);

} // namespace nft
