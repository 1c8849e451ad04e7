// SPDX-License-Identifier: Apache-2.0
#include "nftables/element.h"

#include <algorithm>
#include <memory>
#include <new>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>

#include "nftables/wire.h"
#include "os/text.h"

namespace nft {

namespace {

void pad(Bytes& bytes) {
    bytes.resize((bytes.size() + 3) / 4 * 4);
}

Bytes bytes_of(nftnl_set_elem* element, std::uint16_t attribute) {
    std::uint32_t size = 0;
    const auto* data = static_cast<const std::uint8_t*>(nftnl_set_elem_get(element, attribute, &size));
    return data == nullptr ? Bytes() : Bytes(data, data + size);
}

Element read_element(const std::string& set, nftnl_set_elem* element) {
    Element read{.set = set,
                 .key = bytes_of(element, NFTNL_SET_ELEM_KEY),
                 .key_end = bytes_of(element, NFTNL_SET_ELEM_KEY_END),
                 .data = bytes_of(element, NFTNL_SET_ELEM_DATA),
                 .owner = wire::comment_in(bytes_of(element, NFTNL_SET_ELEM_USERDATA))};
    if (const char* chain = nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN))
        read.jump = chain;
    return read;
}

void read_elements(const nlmsghdr* reply, const std::string& name, std::vector<Element>& elements) {
    const wire::SetPtr set(nftnl_set_alloc());
    if (!set || nftnl_set_elems_nlmsg_parse(reply, set.get()) < 0)
        return;
    const std::unique_ptr<nftnl_set_elems_iter, wire::Closer<nftnl_set_elems_iter_destroy>> iterator(
        nftnl_set_elems_iter_create(set.get()));
    while (nftnl_set_elem* element = iterator ? nftnl_set_elems_iter_next(iterator.get()) : nullptr)
        elements.push_back(read_element(name, element));
}

wire::SetPtr named(const Table& table, const std::string& name) {
    wire::SetPtr set(nftnl_set_alloc());
    if (!set)
        throw std::bad_alloc();
    nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, std::string(table.name).c_str());
    nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
    nftnl_set_set_u32(set.get(), NFTNL_SET_FAMILY, table.family);
    return set;
}

} // namespace

void append_address(Bytes& bytes, const inet::Address& address) {
    bytes.insert(bytes.end(), address.bytes().begin(), address.bytes().end());
}

void append_proto(Bytes& bytes, std::uint8_t protocol) {
    bytes.push_back(protocol);
    pad(bytes);
}

void append_port(Bytes& bytes, std::uint16_t port) {
    bytes.push_back(static_cast<std::uint8_t>(port >> 8));
    bytes.push_back(static_cast<std::uint8_t>(port & 0xff));
    pad(bytes);
}

void append_mac(Bytes& bytes, const inet::Mac& mac) {
    bytes.insert(bytes.end(), mac.bytes.begin(), mac.bytes.end());
    pad(bytes);
}

void append_ifname(Bytes& bytes, std::string_view name) {
    constexpr std::size_t size = 16; // IFNAMSIZ
    const std::size_t start = bytes.size();
    bytes.insert(bytes.end(), name.begin(),
                 name.begin() + static_cast<std::ptrdiff_t>(std::min(name.size(), size - 1)));
    bytes.resize(start + size);
}

void append_mark(Bytes& bytes, std::uint32_t mark) {
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&mark);
    bytes.insert(bytes.end(), raw, raw + sizeof mark);
}

Bytes key_of(const inet::Address& address) {
    Bytes key;
    append_address(key, address);
    return key;
}

wire::SetPtr wire::set_with(const Table& table, const Element& element, bool key_only) {
    wire::SetPtr set = named(table, element.set);
    nftnl_set_elem* entry = nftnl_set_elem_alloc();
    if (entry == nullptr)
        throw std::bad_alloc();
    nftnl_set_elem_add(set.get(), entry); // owned by the set from here on
    nftnl_set_elem_set(entry, NFTNL_SET_ELEM_KEY, element.key.data(), static_cast<std::uint32_t>(element.key.size()));
    if (!element.key_end.empty())
        nftnl_set_elem_set(entry, NFTNL_SET_ELEM_KEY_END, element.key_end.data(),
                           static_cast<std::uint32_t>(element.key_end.size()));
    if (key_only)
        return set;
    if (!element.data.empty())
        nftnl_set_elem_set(entry, NFTNL_SET_ELEM_DATA, element.data.data(),
                           static_cast<std::uint32_t>(element.data.size()));
    if (!element.jump.empty()) {
        nftnl_set_elem_set_u32(entry, NFTNL_SET_ELEM_VERDICT, static_cast<std::uint32_t>(NFT_JUMP));
        nftnl_set_elem_set_str(entry, NFTNL_SET_ELEM_CHAIN, element.jump.c_str());
    }
    if (!element.owner.empty()) {
        const Bytes comment = wire::comment(element.owner);
        nftnl_set_elem_set(entry, NFTNL_SET_ELEM_USERDATA, comment.data(), static_cast<std::uint32_t>(comment.size()));
    }
    return set;
}

Bytes wire::comment(std::string_view text) {
    constexpr std::size_t longest = 253; // the length byte counts the NUL, and user data ends at 256
    text = text.substr(0, longest);
    Bytes bytes{comment_type, static_cast<std::uint8_t>(text.size() + 1)};
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
    return bytes;
}

std::string wire::comment_in(const Bytes& userdata) {
    for (std::size_t at = 0; at + 2 <= userdata.size();) {
        const std::size_t size = userdata[at + 1];
        if (at + 2 + size > userdata.size())
            break;
        if (userdata[at] == comment_type) {
            std::string text(userdata.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                             userdata.begin() + static_cast<std::ptrdiff_t>(at + 2 + size));
            if (const auto end = text.find('\0'); end != std::string::npos)
                text.resize(end);
            return text;
        }
        at += 2 + size;
    }
    return {};
}

std::optional<Element> find(Socket& socket, const Table& table, const std::string& set, const Bytes& key) {
    const wire::SetPtr wanted = wire::set_with(table, {.set = set, .key = key}, true);
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETSETELEM, table.family, 0);
    nftnl_set_elems_nlmsg_build_payload(request, wanted.get());
    std::vector<Element> found;
    (void)socket.query(request, os::cat("get element inet ", table.name, " ", set),
                       [&](const nlmsghdr* reply) { read_elements(reply, set, found); });
    if (found.empty())
        return std::nullopt;
    return found.front();
}

std::vector<Element> list(Socket& socket, const Table& table, const std::string& set) {
    const wire::SetPtr wanted = named(table, set);
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETSETELEM, table.family, NLM_F_DUMP);
    nftnl_set_elems_nlmsg_build_payload(request, wanted.get());
    std::vector<Element> found;
    (void)socket.query(
        request, os::cat("list set inet ", table.name, " ", set),
        [&](const nlmsghdr* reply) { read_elements(reply, set, found); }, [&] { found.clear(); });
    return found;
}

} // namespace nft
