// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#include "netlink/request.h"

namespace netlink {

namespace {

tcmsg header_of(Index link, Handle parent) {
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = static_cast<int>(link);
    header.tcm_parent = static_cast<std::uint32_t>(parent);
    return header;
}

/// A selector without keys matches nothing, one with an empty key everything.
void put_selector(Message& message, std::vector<U32Key> keys) {
    if (keys.empty())
        keys.push_back({});
    tc_u32_sel selector{};
    selector.flags = TC_U32_TERMINAL;
    selector.nkeys = static_cast<unsigned char>(keys.size());
    std::vector<char> bytes(sizeof selector + keys.size() * sizeof(tc_u32_key));
    std::memcpy(bytes.data(), &selector, sizeof selector);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const tc_u32_key key{
            .mask = htonl(keys[i].mask), .val = htonl(keys[i].value), .off = keys[i].offset, .offmask = 0};
        std::memcpy(bytes.data() + sizeof selector + i * sizeof key, &key, sizeof key);
    }
    message.put(TCA_U32_SEL, bytes.data(), bytes.size());
}

void put_redirection(Message& message, Index target) {
    tc_mirred parameters{};
    parameters.action = TC_ACT_STOLEN;
    parameters.eaction = TCA_EGRESS_REDIR;
    parameters.ifindex = static_cast<std::uint32_t>(target);
    const Nest actions(message, TCA_U32_ACT);
    const Nest first(message, 1);
    message.put_text(TCA_ACT_KIND, "mirred");
    const Nest options(message, TCA_ACT_OPTIONS);
    message.put(TCA_MIRRED_PARMS, &parameters, sizeof parameters);
}

std::vector<U32Key> read_selector(const nlattr* attribute) {
    tc_u32_sel selector{};
    std::vector<U32Key> keys;
    if (attribute == nullptr || nla_len(attribute) < static_cast<int>(sizeof selector))
        return keys;
    const auto* bytes = static_cast<const char*>(nla_data(attribute));
    std::memcpy(&selector, bytes, sizeof selector);
    const std::size_t room = (static_cast<std::size_t>(nla_len(attribute)) - sizeof selector) / sizeof(tc_u32_key);
    for (std::size_t i = 0; i < std::min<std::size_t>(selector.nkeys, room); ++i) {
        tc_u32_key key{};
        std::memcpy(&key, bytes + sizeof selector + i * sizeof key, sizeof key);
        if (key.mask != 0)
            keys.push_back({.offset = key.off, .mask = ntohl(key.mask), .value = ntohl(key.val)});
    }
    return keys;
}

/// Where the first action sends a packet; nothing when it is another action.
std::optional<Index> read_redirection(nlattr* actions) {
    nlattr *first[2] = {}, *action[TCA_ACT_MAX + 1] = {}, *options[TCA_MIRRED_MAX + 1] = {};
    if (actions == nullptr || nla_parse_nested(first, 1, actions, nullptr) != 0 || first[1] == nullptr ||
        nla_parse_nested(action, TCA_ACT_MAX, first[1], nullptr) != 0 || get_text(action[TCA_ACT_KIND]) != "mirred" ||
        action[TCA_ACT_OPTIONS] == nullptr ||
        nla_parse_nested(options, TCA_MIRRED_MAX, action[TCA_ACT_OPTIONS], nullptr) != 0)
        return std::nullopt;
    const nlattr* found = options[TCA_MIRRED_PARMS];
    tc_mirred parameters{};
    if (found == nullptr || nla_len(found) < static_cast<int>(sizeof parameters))
        return std::nullopt;
    std::memcpy(&parameters, nla_data(found), sizeof parameters);
    return parameters.eaction == TCA_EGRESS_REDIR ? std::optional(Index{static_cast<int>(parameters.ifindex)})
                                                  : std::nullopt;
}

// The hash tables of u32 are listed as filters too, without a selector.
std::optional<Filter> read_filter(nlmsghdr* message) {
    nlattr *attributes[TCA_MAX + 1] = {}, *options[TCA_U32_MAX + 1] = {};
    if (message->nlmsg_type != RTM_NEWTFILTER ||
        nlmsg_parse(message, sizeof(tcmsg), attributes, TCA_MAX, nullptr) != 0 ||
        get_text(attributes[TCA_KIND]) != "u32" || attributes[TCA_OPTIONS] == nullptr ||
        nla_parse_nested(options, TCA_U32_MAX, attributes[TCA_OPTIONS], nullptr) != 0 ||
        options[TCA_U32_SEL] == nullptr)
        return std::nullopt;
    const auto* header = static_cast<const tcmsg*>(nlmsg_data(message));
    return Filter{.parent = Handle{header->tcm_parent},
                  .priority = static_cast<std::uint16_t>(header->tcm_info >> 16),
                  .protocol = ntohs(static_cast<std::uint16_t>(header->tcm_info)),
                  .class_id = Handle{get_u32(options[TCA_U32_CLASSID])},
                  .keys = read_selector(options[TCA_U32_SEL]),
                  .redirect_to = read_redirection(options[TCA_U32_ACT])};
}

} // namespace

void Rtnl::add_filter(Index link, const Filter& filter) {
    tcmsg header = header_of(link, filter.parent);
    header.tcm_info = (std::uint32_t{filter.priority} << 16) | htons(filter.protocol);
    Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, header);
    message.put_text(TCA_KIND, "u32");
    {
        const Nest options(message, TCA_OPTIONS);
        message.put_u32(TCA_U32_CLASSID, static_cast<std::uint32_t>(filter.class_id));
        put_selector(message, filter.keys);
        if (filter.redirect_to)
            put_redirection(message, *filter.redirect_to);
    }
    request(socket_.get(), message, {"add filter to", name_of(link)});
}

std::vector<Filter> Rtnl::filters(Index link, Handle parent) {
    Message message(RTM_GETTFILTER, NLM_F_DUMP, header_of(link, parent));
    std::vector<Filter> found;
    query(
        socket_.get(), message, {"list filters of", name_of(link)},
        [&](nlmsghdr* reply) {
            if (auto filter = read_filter(reply))
                found.push_back(std::move(*filter));
        },
        [&] { found.clear(); });
    return found;
}

// An action without its parameters is EINVAL where the kind is known, ENOENT where it is not.
bool Rtnl::supports_action(const std::string& kind) {
    Message message(RTM_NEWACTION, NLM_F_CREATE | NLM_F_EXCL, tcamsg{});
    {
        const Nest actions(message, TCA_ACT_TAB);
        const Nest first(message, 1);
        message.put_text(TCA_ACT_KIND, kind);
    }
    try {
        request(socket_.get(), message, {"probe action", kind});
    } catch (const Error& error) {
        return error.err() != ENOENT;
    }
    return true;
}

} // namespace netlink
