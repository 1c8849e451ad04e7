// SPDX-License-Identifier: Apache-2.0
#include "nftables/foreign.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftables/wire.h"
#include "os/text.h"

namespace nft {

namespace {

using RulePtr = std::unique_ptr<nftnl_rule, wire::Closer<nftnl_rule_free>>;

RulePtr new_rule() {
    RulePtr rule(nftnl_rule_alloc());
    if (!rule)
        throw std::bad_alloc();
    return rule;
}

std::span<const std::uint8_t> bytes_of(const nftnl_expr* expression, std::uint16_t attribute) {
    std::uint32_t size = 0;
    const auto* data = static_cast<const std::uint8_t*>(nftnl_expr_get(expression, attribute, &size));
    return data == nullptr ? std::span<const std::uint8_t>() : std::span(data, size);
}

// Follows a rule's expressions: `payload` loads an address, `bitwise` may cut it, `cmp` says which.
class Reader {
  public:
    Reader(ForeignRule& rule, std::uint8_t family) : rule_(rule), v6_(family == NFPROTO_IPV6) {}

    void take(const nftnl_expr* expression) {
        const std::string_view kind = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
        if (kind != "counter")
            rule_.kinds += os::cat(rule_.kinds.empty() ? "" : " ", kind);
        if (kind == "payload")
            load(expression);
        else if (kind == "bitwise")
            cut(expression);
        else if (kind == "cmp")
            compare(expression);
        else if (kind == "match")
            note_comment(expression);
        else if (kind == "immediate" && nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN))
            rule_.jump = nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN);
        else if (kind == "immediate" && nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_VERDICT))
            rule_.accepts = nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT) == NF_ACCEPT;
    }

  private:
    void load(const nftnl_expr* expression) {
        const std::uint32_t source = v6_ ? 8 : 12, destination = v6_ ? 24 : 16;
        const std::uint32_t size = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);
        const std::uint32_t offset = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
        const bool header = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER;
        loaded_ = !header || size > (v6_ ? 16 : 4) ? nullptr
                  : offset == source               ? &rule_.source
                  : offset == destination          ? &rule_.destination
                                                   : nullptr;
        length_ = loaded_ != nullptr ? static_cast<std::uint8_t>(size * 8) : std::uint8_t{0};
    }

    // What `-m comment` holds, whatever wrote it: text up to a NUL.
    void note_comment(const nftnl_expr* expression) {
        if (std::string_view("comment") != nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME))
            return;
        const auto info = bytes_of(expression, NFTNL_EXPR_MT_INFO);
        rule_.comment.assign(info.begin(), std::ranges::find(info, 0));
    }

    void cut(const nftnl_expr* expression) {
        unsigned ones = 0;
        for (const std::uint8_t byte : bytes_of(expression, NFTNL_EXPR_BITWISE_MASK))
            ones += static_cast<unsigned>(std::popcount(byte));
        length_ = static_cast<std::uint8_t>(std::min<unsigned>(ones, length_));
    }

    void compare(const nftnl_expr* expression) {
        const auto wanted = bytes_of(expression, NFTNL_EXPR_CMP_DATA);
        std::uint8_t whole[16] = {};
        if (loaded_ != nullptr && nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_OP) == NFT_CMP_EQ &&
            wanted.size() <= sizeof whole) {
            std::ranges::copy(wanted, whole);
            if (const auto address = inet::Address::from_bytes({whole, v6_ ? 16U : 4U}))
                *loaded_ = inet::Prefix{.address = *address, .length = length_};
        }
        loaded_ = nullptr;
    }

    ForeignRule& rule_;
    bool v6_;
    std::optional<inet::Prefix>* loaded_ = nullptr; ///< which of the rule's addresses
    std::uint8_t length_ = 0;
};

const nlattr* find_attribute(const void* first, std::size_t size, int type) {
    const auto* attribute = static_cast<const nlattr*>(first);
    for (int left = static_cast<int>(size); mnl_attr_ok(attribute, left); attribute = mnl_attr_next(attribute)) {
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
        left -= static_cast<int>(MNL_ALIGN(mnl_attr_get_len(attribute)));
    }
    return nullptr;
}

// libnftnl looks every expression up by its name without looking whether it has one.
bool is_named(const nlattr* expression) {
    const nlattr* name =
        find_attribute(mnl_attr_get_payload(expression), mnl_attr_get_payload_len(expression), NFTA_EXPR_NAME);
    return name != nullptr && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) >= 0;
}

// Nothing when libnftnl does not know an expression in it: not a rule of the kind we look for.
std::optional<ForeignRule> read_rule(const nlmsghdr* reply, std::uint8_t family) {
    const RulePtr rule = new_rule();
    if (!has_named_expressions(reply) || nftnl_rule_nlmsg_parse(reply, rule.get()) < 0)
        return std::nullopt;
    ForeignRule read{.handle = nftnl_rule_get_u64(rule.get(), NFTNL_RULE_HANDLE)};
    if (const char* chain = nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN))
        read.chain = chain;
    std::uint32_t size = 0;
    if (const auto* data =
            static_cast<const std::uint8_t*>(nftnl_rule_get_data(rule.get(), NFTNL_RULE_USERDATA, &size)))
        read.comment = wire::comment_in({data, size});
    const std::unique_ptr<nftnl_expr_iter, wire::Closer<nftnl_expr_iter_destroy>> expressions(
        nftnl_expr_iter_create(rule.get()));
    Reader reader(read, family);
    while (const nftnl_expr* expression = expressions ? nftnl_expr_iter_next(expressions.get()) : nullptr)
        reader.take(expression);
    return read;
}

} // namespace

bool has_named_expressions(const nlmsghdr* reply) {
    if (mnl_nlmsg_get_payload_len(reply) < sizeof(nfgenmsg))
        return false;
    const nlattr* list =
        find_attribute(mnl_nlmsg_get_payload_offset(reply, sizeof(nfgenmsg)),
                       mnl_nlmsg_get_payload_len(reply) - MNL_ALIGN(sizeof(nfgenmsg)), NFTA_RULE_EXPRESSIONS);
    if (list == nullptr)
        return true;
    const auto* expression = static_cast<const nlattr*>(mnl_attr_get_payload(list));
    for (int left = mnl_attr_get_payload_len(list); mnl_attr_ok(expression, left);
         expression = mnl_attr_next(expression)) {
        if (!is_named(expression))
            return false;
        left -= static_cast<int>(MNL_ALIGN(mnl_attr_get_len(expression)));
    }
    return true;
}

std::vector<ForeignRule> list_rules(Socket& socket, const Table& table, const std::string& chain) {
    const RulePtr filter = new_rule();
    nftnl_rule_set_str(filter.get(), NFTNL_RULE_TABLE, std::string(table.name).c_str());
    if (!chain.empty())
        nftnl_rule_set_str(filter.get(), NFTNL_RULE_CHAIN, chain.c_str());
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETRULE, table.family, NLM_F_DUMP);
    nftnl_rule_nlmsg_build_payload(request, filter.get());
    std::vector<ForeignRule> rules;
    const auto keep = [&](const nlmsghdr* reply) {
        if (auto rule = read_rule(reply, table.family))
            rules.push_back(std::move(*rule));
    };
    (void)socket.query(request, os::cat("list the rules of ", table.name, " ", chain), keep, [&] { rules.clear(); });
    return rules;
}

std::optional<std::uint32_t> chain_uses(Socket& socket, const Table& table, const std::string& name) {
    using ChainPtr = std::unique_ptr<nftnl_chain, wire::Closer<nftnl_chain_free>>;
    const ChainPtr wanted(nftnl_chain_alloc()), chain(nftnl_chain_alloc());
    if (!wanted || !chain)
        throw std::bad_alloc();
    nftnl_chain_set_str(wanted.get(), NFTNL_CHAIN_TABLE, std::string(table.name).c_str());
    nftnl_chain_set_str(wanted.get(), NFTNL_CHAIN_NAME, name.c_str());
    wire::Buffer buffer;
    nlmsghdr* request = wire::header(buffer, NFT_MSG_GETCHAIN, table.family, 0);
    nftnl_chain_nlmsg_build_payload(request, wanted.get());
    const bool found = socket.query(request, os::cat("get chain ", name),
                                    [&](const nlmsghdr* reply) { (void)nftnl_chain_nlmsg_parse(reply, chain.get()); });
    return found ? std::optional(nftnl_chain_get_u32(chain.get(), NFTNL_CHAIN_USE)) : std::nullopt;
}

bool chain_exists(Socket& socket, const Table& table, const std::string& name) {
    return chain_uses(socket, table, name).has_value();
}

} // namespace nft
