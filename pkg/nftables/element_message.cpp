// SPDX-License-Identifier: Apache-2.0
#include "nftables/element_message.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "os/netlink_attribute.h"
#include "os/text.h"

namespace nft::wire {

namespace {

using os::attribute_in;
using os::for_each_attribute;
using os::Payload;

void put_value(nlmsghdr* message, std::uint16_t type, const Bytes& value) {
    nlattr* nest = mnl_attr_nest_start(message, type);
    mnl_attr_put(message, NFTA_DATA_VALUE, value.size(), value.data());
    mnl_attr_nest_end(message, nest);
}

void put_jump(nlmsghdr* message, const std::string& chain) {
    nlattr* data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
    nlattr* verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl(static_cast<std::uint32_t>(NFT_JUMP)));
    mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, chain.c_str());
    mnl_attr_nest_end(message, verdict);
    mnl_attr_nest_end(message, data);
}

// User data that nft prints as a comment: type, length, text, NUL. Longer text than fits is cut off.
void put_comment(nlmsghdr* message, const Element& element) {
    std::array<char, 256> userdata; // NFT_USERDATA_MAXLEN
    std::size_t size = 2;
    const auto put = [&](std::string_view text) { size += text.copy(&userdata[size], userdata.size() - 1 - size); };
    put(element.owner);
    if (!element.note.empty()) {
        put(" ");
        put(element.note);
    }
    userdata[size++] = '\0';
    userdata[0] = comment_type;
    userdata[1] = static_cast<char>(size - 2);
    mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, size, userdata.data());
}

// Longer ones are no element of ours, nor anybody's.
Bytes value_in(Payload nest) {
    const Payload value = attribute_in(nest, NFTA_DATA_VALUE);
    return value.size() <= Bytes::capacity ? Bytes(value) : Bytes();
}

std::string chain_in(Payload nest) {
    return std::string(os::text_in(attribute_in(attribute_in(nest, NFTA_DATA_VERDICT), NFTA_VERDICT_CHAIN)));
}

void read_comment(std::string_view comment, Element& element) {
    const std::size_t blank = std::min(comment.find(' '), comment.size());
    element.owner = comment.substr(0, blank);
    element.note = comment.substr(std::min(blank + 1, comment.size()));
}

void read_item(Payload item, Element& read) {
    for_each_attribute(item, [&](int type, Payload payload) {
        switch (type) {
        case NFTA_SET_ELEM_KEY:
            read.key = value_in(payload);
            break;
        case NFTA_SET_ELEM_KEY_END:
            read.key_end = value_in(payload);
            break;
        case NFTA_SET_ELEM_DATA:
            read.data = value_in(payload);
            read.jump = chain_in(payload);
            break;
        case NFTA_SET_ELEM_USERDATA:
            read_comment(comment_in(payload), read);
            break;
        default:
            break;
        }
    });
}

Payload payload_of(std::span<const char> bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

void read_list(Payload list, const std::string& set, std::vector<Element>& elements) {
    for_each_attribute(list, [&](int, Payload item) { read_item(item, elements.emplace_back(Element{.set = set})); });
}

} // namespace

std::span<const char> item(Buffer& buffer, const Element& element, Part part) {
    nlmsghdr* scratch = mnl_nlmsg_put_header(buffer.bytes.data());
    const std::size_t begin = scratch->nlmsg_len;
    nlattr* nest = mnl_attr_nest_start(scratch, NFTA_LIST_ELEM);
    put_value(scratch, NFTA_SET_ELEM_KEY, element.key);
    if (!element.key_end.empty())
        put_value(scratch, NFTA_SET_ELEM_KEY_END, element.key_end);
    if (part == Part::whole) {
        if (!element.data.empty())
            put_value(scratch, NFTA_SET_ELEM_DATA, element.data);
        if (!element.jump.empty())
            put_jump(scratch, element.jump);
        if (!element.owner.empty())
            put_comment(scratch, element);
    }
    mnl_attr_nest_end(scratch, nest);
    return std::span(buffer.bytes).subspan(begin, scratch->nlmsg_len - begin);
}

nlmsghdr* elements_header(Buffer& buffer, int type, const Table& table, const std::string& set, int flags) {
    nlmsghdr* message = header(buffer, type, table.family, flags);
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, std::string(table.name).c_str());
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set.c_str());
    return message;
}

void put_list(nlmsghdr* message, std::span<const char> items) {
    nlattr* list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    std::memcpy(mnl_nlmsg_get_payload_tail(message), items.data(), items.size());
    message->nlmsg_len += static_cast<std::uint32_t>(items.size());
    mnl_attr_nest_end(message, list);
}

void read_elements(const nlmsghdr* message, const std::string& set, std::vector<Element>& elements) {
    read_list(attribute_in(os::attributes_of(message, sizeof(nfgenmsg)), NFTA_SET_ELEM_LIST_ELEMENTS), set, elements);
}

void read_items(std::span<const char> items, const std::string& set, std::vector<Element>& elements) {
    read_list(payload_of(items), set, elements);
}

} // namespace nft::wire
