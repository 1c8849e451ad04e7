// SPDX-License-Identifier: Apache-2.0
#include "nftables/element_message.h"

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

// Longer ones are no element of ours, nor anybody's.
Bytes value_in(Payload nest) {
    const Payload value = attribute_in(nest, NFTA_DATA_VALUE);
    return value.size() <= Bytes::capacity ? Bytes(value) : Bytes();
}

std::string chain_in(Payload nest) {
    return std::string(os::text_in(attribute_in(attribute_in(nest, NFTA_DATA_VERDICT), NFTA_VERDICT_CHAIN)));
}

Element read_item(Payload item, const std::string& set) {
    Element read{.set = set};
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
            read.owner = comment_in(payload);
            if (const auto blank = read.owner.find(' '); blank != std::string::npos) {
                read.note = read.owner.substr(blank + 1);
                read.owner.resize(blank);
            }
            break;
        default:
            break;
        }
    });
    return read;
}

Payload payload_of(std::span<const char> bytes) {
    return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

void read_list(Payload list, const std::string& set, std::vector<Element>& elements) {
    for_each_attribute(list, [&](int, Payload item) { elements.push_back(read_item(item, set)); });
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
        if (!element.owner.empty()) {
            const auto comment =
                wire::comment(element.note.empty() ? element.owner : os::cat(element.owner, " ", element.note));
            mnl_attr_put(scratch, NFTA_SET_ELEM_USERDATA, comment.size(), comment.data());
        }
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
