// SPDX-License-Identifier: Apache-2.0
#include "nftables/foreign.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftables/wire.h"
#include "os/text.h"

namespace nft {

namespace {

using os::attribute_in;
using os::Payload;

std::uint32_t word_in(Payload bytes, int wanted) {
    return os::number_in<std::uint32_t>(attribute_in(bytes, wanted)).value_or(0);
}

/// Of an attribute that holds what a register takes.
Payload value_in(Payload bytes, int wanted) {
    return attribute_in(attribute_in(bytes, wanted), NFTA_DATA_VALUE);
}

// Follows a rule's expressions: `payload` loads an address, `meta` a mark, `bitwise` may cut it, `cmp` says which.
class Reader {
  public:
    Reader(ForeignRule& rule, std::uint8_t family) : rule_(rule), v6_(family == NFPROTO_IPV6) {}

    void take(Payload expression) {
        const std::string_view kind = os::text_in(attribute_in(expression, NFTA_EXPR_NAME));
        const Payload data = attribute_in(expression, NFTA_EXPR_DATA);
        if (kind != "counter")
            rule_.kinds += os::cat(rule_.kinds.empty() ? "" : " ", kind.empty() ? "?" : kind);
        if (kind == "meta")
            load_meta(data);
        else if (kind == "payload")
            load(data);
        else if (kind == "bitwise")
            cut(data);
        else if (kind == "cmp")
            compare(data);
        else if (kind == "match")
            note_comment(data);
        else if (kind == "immediate")
            decide(attribute_in(attribute_in(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT));
        else if (kind != "counter")
            forget(); // the register may hold something else by now
    }

  private:
    void forget() {
        loaded_ = nullptr;
        mark_loaded_ = false;
    }

    void load_meta(Payload meta) {
        forget();
        mark_loaded_ = word_in(meta, NFTA_META_KEY) == NFT_META_MARK;
    }

    void load(Payload payload) {
        forget();
        const std::uint32_t source = v6_ ? 8 : 12, destination = v6_ ? 24 : 16;
        const std::uint32_t size = word_in(payload, NFTA_PAYLOAD_LEN), offset = word_in(payload, NFTA_PAYLOAD_OFFSET);
        const bool header = word_in(payload, NFTA_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER;
        loaded_ = !header || size > (v6_ ? 16 : 4) ? nullptr
                  : offset == source               ? &rule_.source
                  : offset == destination          ? &rule_.destination
                                                   : nullptr;
        length_ = loaded_ != nullptr ? static_cast<std::uint8_t>(size * 8) : std::uint8_t{0};
    }

    // What `-m comment` holds, whatever wrote it.
    void note_comment(Payload match) {
        if (os::text_in(attribute_in(match, NFTA_MATCH_NAME)) == "comment")
            rule_.comment = os::text_in(attribute_in(match, NFTA_MATCH_INFO));
    }

    void cut(Payload bitwise) {
        const Payload mask = value_in(bitwise, NFTA_BITWISE_MASK);
        if (mask.empty()) // a shift
            forget();
        unsigned ones = 0;
        for (const std::uint8_t byte : mask)
            ones += static_cast<unsigned>(std::popcount(byte));
        length_ = static_cast<std::uint8_t>(std::min<unsigned>(ones, length_));
    }

    void compare(Payload cmp) {
        const Payload wanted = value_in(cmp, NFTA_CMP_DATA);
        std::uint8_t whole[16] = {};
        const bool fits = !wanted.empty() && wanted.size() <= sizeof whole;
        const bool equal = word_in(cmp, NFTA_CMP_OP) == NFT_CMP_EQ;
        std::uint32_t mark = 0; // in the order of the host's bytes, as no number of a header is
        if (mark_loaded_ && equal && wanted.size() == sizeof mark) {
            std::memcpy(&mark, wanted.data(), sizeof mark);
            rule_.mark = mark;
        }
        if (loaded_ != nullptr && equal && fits) {
            std::ranges::copy(wanted, whole);
            if (const auto address = inet::Address::from_bytes({whole, v6_ ? 16U : 4U}))
                *loaded_ = inet::Prefix{.address = *address, .length = length_};
        }
        forget();
    }

    // An immediate of another kind loads a register: it has no verdict.
    void decide(Payload verdict) {
        if (const std::string_view chain = os::text_in(attribute_in(verdict, NFTA_VERDICT_CHAIN)); !chain.empty())
            rule_.jump = chain;
        else if (const auto code = os::number_in<std::uint32_t>(attribute_in(verdict, NFTA_VERDICT_CODE)))
            rule_.accepts = *code == NF_ACCEPT;
    }

    ForeignRule& rule_;
    bool v6_;
    std::optional<inet::Prefix>* loaded_ = nullptr; ///< which of the rule's addresses
    std::uint8_t length_ = 0;
    bool mark_loaded_ = false;
};

} // namespace

std::optional<ForeignRule> read_rule(Payload attributes, std::uint8_t family) {
    const auto handle = os::number_in<std::uint64_t>(attribute_in(attributes, NFTA_RULE_HANDLE));
    if (!handle)
        return std::nullopt;
    ForeignRule read{.chain = std::string(os::text_in(attribute_in(attributes, NFTA_RULE_CHAIN))),
                     .handle = *handle,
                     .comment = std::string(wire::comment_in(attribute_in(attributes, NFTA_RULE_USERDATA)))};
    Reader reader(read, family);
    os::for_each_attribute(attribute_in(attributes, NFTA_RULE_EXPRESSIONS),
                           [&](int, Payload expression) { reader.take(expression); });
    return read;
}

std::vector<ForeignRule> list_rules(Socket& socket, const Table& table, const std::string& chain) {
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETRULE, table.family, NLM_F_DUMP);
    mnl_attr_put_strz(request, NFTA_RULE_TABLE, std::string(table.name).c_str());
    if (!chain.empty())
        mnl_attr_put_strz(request, NFTA_RULE_CHAIN, chain.c_str());
    std::vector<ForeignRule> rules;
    const auto keep = [&](const nlmsghdr* reply) {
        if (auto rule = read_rule(os::attributes_of(reply, sizeof(nfgenmsg)), table.family))
            rules.push_back(std::move(*rule));
    };
    (void)socket.query(request, os::cat("list the rules of ", table_text(table), " ", chain), keep,
                       [&] { rules.clear(); });
    return rules;
}

std::optional<ForeignChain> find_chain(Socket& socket, const Table& table, const std::string& name) {
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETCHAIN, table.family, 0);
    mnl_attr_put_strz(request, NFTA_CHAIN_TABLE, std::string(table.name).c_str());
    mnl_attr_put_strz(request, NFTA_CHAIN_NAME, name.c_str());
    ForeignChain chain;
    const auto read = [&](const nlmsghdr* reply) {
        const Payload attributes = os::attributes_of(reply, sizeof(nfgenmsg));
        chain.uses = word_in(attributes, NFTA_CHAIN_USE);
        const Payload hook = attribute_in(attributes, NFTA_CHAIN_HOOK);
        chain.priority = static_cast<std::int32_t>(word_in(hook, NFTA_HOOK_PRIORITY));
    };
    const bool found = socket.query(request, os::cat("get chain ", table_text(table), " ", name), read);
    return found ? std::optional(chain) : std::nullopt;
}

bool chain_exists(Socket& socket, const Table& table, const std::string& name) {
    return find_chain(socket, table, name).has_value();
}

} // namespace nft
