// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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
[[nodiscard]] Bytes key_of_owner(std::string_view owner); ///< two marks: the first 64 bits of its SHA-512

/// One element of a set, a map (data) or a verdict map (jump). Owner and note are its comment, as `nft list` prints it.
struct Element {
    std::string set;
    Bytes key;
    Bytes key_end{}; ///< of an interval: its last key; the kernel takes `key` for its first
    Bytes data;
    std::string jump;   ///< the chain a verdict map jumps to
    std::string owner;  ///< up to the first blank
    std::string note{}; ///< behind it
};

/// The same set, key and end of an interval.
[[nodiscard]] bool same_place(const Element& a, const Element& b);
[[nodiscard]] bool contains(const std::vector<Element>& elements, const Element& wanted); ///< by place
/// Brings the elements of a set together, so that they travel in one message; of what is there twice the first stays.
void keep_one_of_each(std::vector<Element>& elements);

/// One element by key, or the interval that covers it: cost independent of the set's size. Nothing when it, its set or
/// its table is not there.
[[nodiscard]] std::optional<Element> find(Socket& socket, const Table& table, const std::string& set, const Bytes& key);
/// The same for many keys, a few dozen at a time where neighbours are of one set. Only set and key are looked at, and
/// `at` is the key's place among them.
using OnFound = std::function<void(std::size_t at, Element& found)>;
void find_each(Socket& socket, const Table& table, std::span<const Element> keys, const OnFound& on_found);
/// All elements of a set, each once: for GC, CHECK and a DEL that has lost its config. What comes or goes meanwhile may
/// be among them or not. Empty when the set is not there.
[[nodiscard]] std::vector<Element> list(Socket& socket, const Table& table, const std::string& set);
/// One answer to that question, behind what is in `elements`; returns its size. The kernel answers in parts, and finds
/// where the next one begins by counting elements: when others are removed meanwhile it leaves out some that were there
/// all the time, without a word. So it does when it resizes the set, and then it names others twice. The generation
/// does not tell: a batch that was refused has removed what it brought, and the generation stays. What is true: nothing
/// is missing when each is there once, and as many as the set has; or when another answer is the same.
std::size_t append_list(Socket& socket, const Table& table, const std::string& set, std::vector<Element>& elements);
[[nodiscard]] bool has_each_once(std::span<const Element> elements); ///< of one set
/// How many elements each set of a table holds. Empty where the kernel does not tell: Linux 6.18 does, 6.1 does not.
[[nodiscard]] std::map<std::string, std::size_t> set_sizes(Socket& socket, const Table& table);

} // namespace nft
