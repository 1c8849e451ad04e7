// SPDX-License-Identifier: Apache-2.0
#include "nftables/ruleset.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include <netinet/in.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/rtnetlink.h>

#include "os/sha512.h"
#include "os/text.h"

namespace nft {

namespace {

// Registers: a concatenation fills 4-byte registers one after the other, which begin where NFT_REG_1 does.
constexpr std::uint32_t first_register = NFT_REG_1;
std::uint32_t register_at(std::size_t words) {
    return words == 0 ? first_register : static_cast<std::uint32_t>(NFT_REG32_00 + words);
}

struct Source {
    std::string_view text;
    std::optional<inet::Family> family; ///< the IP header it is in
    std::uint32_t base = 0;             ///< NFT_PAYLOAD_*; meaningless with a meta key
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    std::optional<std::uint32_t> meta;
};

constexpr std::array<Source, 11> sources{{
    {"ip saddr", inet::Family::v4, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, {}},
    {"ip daddr", inet::Family::v4, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, {}},
    {"ip6 saddr", inet::Family::v6, NFT_PAYLOAD_NETWORK_HEADER, 8, 16, {}},
    {"ip6 daddr", inet::Family::v6, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, {}},
    {"ether saddr", {}, NFT_PAYLOAD_LL_HEADER, 6, 6, {}},
    {"iifname", {}, 0, 0, 16, NFT_META_IIFNAME},
    {"oifname", {}, 0, 0, 16, NFT_META_OIFNAME},
    {"meta mark", {}, 0, 0, 4, NFT_META_MARK},
    {"meta l4proto", {}, 0, 0, 1, NFT_META_L4PROTO},
    {"th sport", {}, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, {}},
    {"th dport", {}, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, {}},
}};

const Source& source_of(Selector selector) {
    return sources[static_cast<std::size_t>(selector)];
}

nftnl_expr* expression(nftnl_rule* rule, const char* kind) {
    nftnl_expr* made = nftnl_expr_alloc(kind);
    if (made == nullptr)
        throw std::bad_alloc();
    nftnl_rule_add_expr(rule, made); // the rule owns it
    return made;
}

void load_one(nftnl_rule* rule, const Source& source, std::uint32_t size, std::uint32_t into) {
    if (source.meta) {
        nftnl_expr* meta = expression(rule, "meta");
        nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, *source.meta);
        nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, into);
        return;
    }
    nftnl_expr* payload = expression(rule, "payload");
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, into);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, source.base);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, source.offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, size);
}

void compare(nftnl_rule* rule, std::uint32_t operation, const void* data, std::size_t size) {
    nftnl_expr* cmp = expression(rule, "cmp");
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, first_register);
    nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, data, static_cast<std::uint32_t>(size));
}

/// register = register & mask ^ flip
void mask_register(nftnl_rule* rule, const Bytes& mask, const Bytes& flip) {
    const auto size = static_cast<std::uint32_t>(mask.size());
    nftnl_expr* bitwise = expression(rule, "bitwise");
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, first_register);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, first_register);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, size);
    nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask.data(), size);
    nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, flip.data(), size);
}

void mask_register(nftnl_rule* rule, const Bytes& mask) {
    mask_register(rule, mask, Bytes(mask.size()));
}

Bytes word(std::uint32_t value) {
    Bytes bytes;
    append_mark(bytes, value);
    return bytes;
}

/// True when any of these bits of the connection's `key` is set.
void any_bit_of(nftnl_rule* rule, std::uint32_t key, std::uint32_t bits) {
    nftnl_expr* ct = expression(rule, "ct");
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_DREG, first_register);
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, key);
    mask_register(rule, word(bits));
    const std::uint32_t none = 0;
    compare(rule, NFT_CMP_NEQ, &none, sizeof none);
}

Bytes mask_of(const inet::Prefix& prefix) {
    Bytes mask(inet::bits(prefix.address.family()) / 8);
    for (unsigned bit = 0; bit < prefix.length; ++bit)
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | (0x80U >> (bit % 8)));
    return mask;
}

std::string words(const Selectors& selectors) {
    std::string text;
    for (const Selector selector : selectors)
        text += os::cat(text.empty() ? "" : " . ", source_of(selector).text);
    return text;
}

std::string_view sign(bool negated) {
    return negated ? "!= " : "";
}

std::uint32_t comparison(bool negated) {
    return negated ? NFT_CMP_NEQ : NFT_CMP_EQ;
}

void look_up(nftnl_rule* rule, const std::string& set, std::optional<std::uint32_t> into, bool negated) {
    nftnl_expr* lookup = expression(rule, "lookup");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, first_register);
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set.c_str());
    if (into)
        nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_DREG, *into);
    if (negated)
        nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

} // namespace

Rule& Rule::add(std::string_view text, Expression expression) {
    if (!text.empty())
        text_ += os::cat(text_.empty() ? "" : " ", text);
    expressions_.push_back(std::move(expression));
    return *this;
}

Rule& Rule::nfproto(inet::Family family) {
    if (family_ == family)
        return *this;
    family_ = family;
    return add("", [family](nftnl_rule* rule) {
        nftnl_expr* meta = expression(rule, "meta");
        nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_NFPROTO);
        nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, first_register);
        const std::uint8_t number = family == inet::Family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
        compare(rule, NFT_CMP_EQ, &number, sizeof number);
    });
}

void Rule::require(Selector selector) {
    if (const auto family = source_of(selector).family)
        nfproto(*family);
}

void Rule::load(const Selectors& selectors) {
    for (const Selector selector : selectors)
        require(selector);
    add("", [selectors](nftnl_rule* rule) {
        std::size_t at = 0;
        for (const Selector selector : selectors) {
            const Source& source = source_of(selector);
            load_one(rule, source, source.size, register_at(at));
            at += (source.size + 3) / 4;
        }
    });
}

Rule& Rule::prefix(Selector selector, const inet::Prefix& prefix, bool negated) {
    require(selector);
    const inet::Prefix masked = prefix.masked();
    return add(os::cat(source_of(selector).text, " ", sign(negated), masked.text()),
               [selector, masked, negated](nftnl_rule* rule) {
                   const Source& source = source_of(selector);
                   const auto bytes = masked.address.bytes();
                   // Whole bytes are compared without a mask, as nft does.
                   if (masked.length != 0 && masked.length % 8 == 0) {
                       load_one(rule, source, masked.length / 8U, first_register);
                       compare(rule, comparison(negated), bytes.data(), masked.length / 8U);
                   } else {
                       load_one(rule, source, source.size, first_register);
                       mask_register(rule, mask_of(masked));
                       compare(rule, comparison(negated), bytes.data(), bytes.size());
                   }
               });
}

Rule& Rule::range(Selector selector, const Bytes& first, const Bytes& last, std::string_view text, bool negated) {
    load({selector});
    return add(os::cat(source_of(selector).text, " ", sign(negated), text), [=](nftnl_rule* rule) {
        const std::size_t size = source_of(selector).size;
        if (!negated) {
            compare(rule, NFT_CMP_GTE, first.data(), size);
            compare(rule, NFT_CMP_LTE, last.data(), size);
            return;
        }
        nftnl_expr* outside = expression(rule, "range");
        nftnl_expr_set_u32(outside, NFTNL_EXPR_RANGE_SREG, first_register);
        nftnl_expr_set_u32(outside, NFTNL_EXPR_RANGE_OP, NFT_RANGE_NEQ);
        nftnl_expr_set(outside, NFTNL_EXPR_RANGE_FROM_DATA, first.data(), static_cast<std::uint32_t>(size));
        nftnl_expr_set(outside, NFTNL_EXPR_RANGE_TO_DATA, last.data(), static_cast<std::uint32_t>(size));
    });
}

Rule& Rule::equals(Selector selector, const Bytes& value, std::string_view text, bool negated) {
    load({selector});
    return add(os::cat(source_of(selector).text, " ", sign(negated), text),
               [=](nftnl_rule* rule) { compare(rule, comparison(negated), value.data(), source_of(selector).size); });
}

Rule& Rule::interface(Selector selector, std::string_view name, bool wildcard, bool negated) {
    load({selector});
    Bytes value;
    append_ifname(value, name);
    if (wildcard)
        value.resize(std::max<std::size_t>(1, std::min<std::size_t>(name.size(), 15)));
    return add(os::cat(source_of(selector).text, " ", sign(negated), "\"", name, wildcard ? "*" : "", "\""),
               [=](nftnl_rule* rule) { compare(rule, comparison(negated), value.data(), value.size()); });
}

Rule& Rule::mark(std::uint32_t value, std::uint32_t mask, bool negated) {
    load({Selector::mark});
    const std::string masked = mask == UINT32_MAX ? std::string() : os::cat(" & ", mask);
    return add(os::cat("meta mark", masked, " ", negated ? "!= " : (masked.empty() ? "" : "== "), value),
               [=](nftnl_rule* rule) {
                   if (mask != UINT32_MAX) {
                       Bytes bytes;
                       append_mark(bytes, mask);
                       mask_register(rule, bytes);
                   }
                   compare(rule, comparison(negated), &value, sizeof value);
               });
}

Rule& Rule::in_set(const Selectors& selectors, const std::string& set, bool negated) {
    load(selectors);
    return add(os::cat(words(selectors), " ", sign(negated), "@", set),
               [=](nftnl_rule* rule) { look_up(rule, set, std::nullopt, negated); });
}

Rule& Rule::vmap(const Selectors& selectors, const std::string& map) {
    load(selectors);
    return add(os::cat(words(selectors), " vmap @", map),
               [=](nftnl_rule* rule) { look_up(rule, map, std::uint32_t{NFT_REG_VERDICT}, false); });
}

Rule& Rule::destination_is_local() {
    return add("fib daddr type local", [](nftnl_rule* rule) {
        nftnl_expr* fib = expression(rule, "fib");
        nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_DREG, first_register);
        nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
        nftnl_expr_set_u32(fib, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
        const std::uint32_t local = RTN_LOCAL;
        compare(rule, NFT_CMP_EQ, &local, sizeof local);
    });
}

Rule& Rule::was_dnatted() {
    return add("ct status dnat", [](nftnl_rule* rule) { any_bit_of(rule, NFT_CT_STATUS, IPS_DST_NAT); });
}

Rule& Rule::is_answer() {
    constexpr std::uint32_t states =
        NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED); // answers and originals count alike
    return add("ct state established,related", [](nftnl_rule* rule) { any_bit_of(rule, NFT_CT_STATE, states); });
}

Rule& Rule::set_mark(std::uint32_t value, std::uint32_t mask) {
    return add(os::cat("meta mark set meta mark & ", ~mask, value == 0 ? "" : " ^ ",
                       value == 0 ? std::string() : os::cat(value)),
               [=](nftnl_rule* rule) {
                   load_one(rule, source_of(Selector::mark), sizeof value, first_register);
                   mask_register(rule, word(~mask), word(value));
                   nftnl_expr* meta = expression(rule, "meta");
                   nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_MARK);
                   nftnl_expr_set_u32(meta, NFTNL_EXPR_META_SREG, first_register);
               });
}

Rule& Rule::counter() {
    return add("counter", [](nftnl_rule* rule) { (void)expression(rule, "counter"); });
}

Rule& Rule::xt_match(std::string_view text, const char* name, std::uint32_t revision, std::vector<std::uint8_t> info) {
    info.resize((info.size() + 7) / 8 * 8); // XT_ALIGN
    return add(text, [=, info = std::move(info)](nftnl_rule* rule) {
        void* owned = std::malloc(info.size()); // NOLINT(cppcoreguidelines-no-malloc): libnftnl frees it
        if (owned == nullptr)
            throw std::bad_alloc();
        std::memcpy(owned, info.data(), info.size());
        nftnl_expr* match = expression(rule, "match");
        nftnl_expr_set_str(match, NFTNL_EXPR_MT_NAME, name);
        nftnl_expr_set_u32(match, NFTNL_EXPR_MT_REV, revision);
        nftnl_expr_set(match, NFTNL_EXPR_MT_INFO, owned, static_cast<std::uint32_t>(info.size()));
    });
}

Rule& Rule::xt_comment(std::string_view text) {
    std::vector<std::uint8_t> info(text.begin(), text.end());
    info.resize(XT_MAX_COMMENT_LEN);
    info.back() = 0;
    return xt_match(os::cat("-m comment --comment ", os::quote(text)), "comment", 0, std::move(info));
}

Rule& Rule::xt_mark(std::uint32_t value, std::uint32_t mask) {
    Bytes info = word(value);
    append_mark(info, mask);
    info.resize(sizeof(xt_mark_mtinfo1)); // not inverted
    return xt_match(os::cat("-m mark --mark ", value, "/", mask), "mark", 1, {info.begin(), info.end()});
}

Rule& Rule::verdict(std::string_view text, int code, const std::string& chain) {
    return add(text, [code, chain](nftnl_rule* rule) {
        nftnl_expr* immediate = expression(rule, "immediate");
        nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
        if (!chain.empty())
            nftnl_expr_set_str(immediate, NFTNL_EXPR_IMM_CHAIN, chain.c_str());
    });
}

Rule& Rule::accept() {
    return verdict("accept", NF_ACCEPT);
}
Rule& Rule::drop() {
    return verdict("drop", NF_DROP);
}
Rule& Rule::leave() {
    return verdict("return", NFT_RETURN);
}
Rule& Rule::jump(const std::string& chain) {
    return verdict(os::cat("jump ", chain), NFT_JUMP, chain);
}

Rule& Rule::masquerade() {
    return add("masquerade", [](nftnl_rule* rule) { (void)expression(rule, "masq"); });
}

Rule& Rule::dnat(inet::Family family, const Selectors& selectors, const std::string& map) {
    return dnat(family, selectors, map, true);
}

Rule& Rule::dnat_address(inet::Family family, const Selectors& selectors, const std::string& map) {
    return dnat(family, selectors, map, false);
}

Rule& Rule::dnat(inet::Family family, const Selectors& selectors, const std::string& map, bool with_port) {
    nfproto(family);
    load(selectors);
    const bool v4 = family == inet::Family::v4;
    return add(os::cat("dnat ", v4 ? "ip" : "ip6", " to ", words(selectors), " map @", map), [=](nftnl_rule* rule) {
        look_up(rule, map, first_register, false);
        nftnl_expr* nat = expression(rule, "nat");
        nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
        nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FAMILY, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
        nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_ADDR_MIN, first_register);
        if (with_port)
            nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_PROTO_MIN, register_at(v4 ? 1 : 4));
    });
}

void Rule::build(nftnl_rule* rule) const {
    for (const Expression& expression : expressions_)
        expression(rule);
}

namespace {

std::string_view name_of(Field field) {
    constexpr std::array<std::string_view, 7> names{"ipv4_addr",    "ipv6_addr", "ether_addr", "inet_proto",
                                                    "inet_service", "mark",      "ifname"};
    return names[static_cast<std::size_t>(field)];
}

std::string names_of(const std::vector<Field>& fields) {
    std::string text;
    for (const Field field : fields)
        text += os::cat(text.empty() ? "" : " . ", name_of(field));
    return text;
}

} // namespace

std::string Set::text() const {
    const bool is_map = verdicts || !data.empty();
    const std::string values = verdicts ? " : verdict" : is_map ? os::cat(" : ", names_of(data)) : std::string();
    return os::cat(is_map ? "map " : "set ", name, " { type ", names_of(key), values,
                   intervals ? "; flags interval; }" : "; }");
}

std::string Chain::text() const {
    std::string text = os::cat("chain ", name, " {\n");
    if (hook)
        text +=
            os::cat("\ttype ", hook->type, " hook ", hook->number, " priority ", hook->priority, "; policy accept;\n");
    for (const Rule& rule : rules)
        text += os::cat("\t", rule.text(), "\n");
    return text + "}\n";
}

std::string Fragment::text() const {
    std::string text;
    for (const Set& set : sets)
        text += os::cat(set.text(), "\n");
    for (const Chain& chain : chains)
        text += chain.text();
    return text;
}

std::uint32_t Fragment::hash() const {
    return static_cast<std::uint32_t>(os::sha512_start(text()) >> 32);
}

} // namespace nft
