// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nftables/wire.h"

struct nlattr;

// Elements on the wire (linux/netfilter/nf_tables.h, NFTA_SET_ELEM_*): any number of one set's in a message. Without
// libnftnl, which allocates a dozen times an element.
namespace nft::wire {

enum class Part : std::uint8_t { key, whole };

/// One element as an item of a message's list: to be copied behind `open_list`.
[[nodiscard]] std::span<const char> item(Buffer& buffer, const Element& element, Part part);
/// The header, table and set of a message about elements, and its list, yet empty.
[[nodiscard]] nlmsghdr* elements_header(Buffer& buffer, int type, const Table& table, const std::string& set,
                                        int flags);
/// Puts items into the message, which must have room for them.
void put_list(nlmsghdr* message, std::span<const char> items);
/// The elements of an NFT_MSG_NEWSETELEM, whoever sent it; what is broken in it is left out.
void read_elements(const nlmsghdr* message, const std::string& set, std::vector<Element>& elements);
/// The same of a list of items.
void read_items(std::span<const char> items, const std::string& set, std::vector<Element>& elements);

} // namespace nft::wire
