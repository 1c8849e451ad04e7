// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string>

#include "nftables/element.h"
#include "nftables/ruleset.h"

// What the files of this folder share of libnftnl; nothing outside includes it.
namespace nft {

constexpr std::uint8_t comment_type = 0; // NFTNL_UDATA_{RULE,SET_ELEM,CHAIN}_COMMENT: all three are 0

namespace wire {

template <auto Function> struct Closer {
    template <typename T> void operator()(T* object) const noexcept { Function(object); }
};

/// Room for one message; ours are far below 4 KiB. Not zeroed: libmnl fills in what it leaves open (since
/// 1.0.5; memcheck finds the padding of attributes in a dynamic build with Debian 12's 1.0.4, and the kernel skips it).
struct Buffer {
    alignas(8) std::array<char, std::size_t(16) * 1024> bytes;
};

/// The header of an nf_tables message at the start of the buffer.
[[nodiscard]] nlmsghdr* header(Buffer& buffer, int type, std::uint8_t family, int flags);
/// The comment among user data, each of which is type, length, value; a comment with its NUL.
[[nodiscard]] std::string_view comment_in(std::span<const std::uint8_t> userdata);

} // namespace wire

/// What the table's `schema` map says of a fragment: not there, as another version of it has it, as it is here.
enum class Schema : std::uint8_t { absent, other, current };
[[nodiscard]] Schema schema_of(Socket& socket, const Fragment& fragment);

[[nodiscard]] bool chain_exists(Socket& socket, const Table& table, const std::string& name);

} // namespace nft
