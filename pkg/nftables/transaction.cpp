// SPDX-License-Identifier: Apache-2.0
#include "nftables/transaction.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <new>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftables/element_message.h"
#include "os/text.h"

namespace nft {

namespace {

using wire::Closer;
using TablePtr = std::unique_ptr<nftnl_table, Closer<nftnl_table_free>>;
using ChainPtr = std::unique_ptr<nftnl_chain, Closer<nftnl_chain_free>>;
using RulePtr = std::unique_ptr<nftnl_rule, Closer<nftnl_rule_free>>;
using SetPtr = std::unique_ptr<nftnl_set, Closer<nftnl_set_free>>;

template <typename Pointer> Pointer made(Pointer pointer) {
    if (!pointer)
        throw std::bad_alloc();
    return pointer;
}

// nft's numbers for its types: what makes `nft list` print addresses as addresses.
struct TypeOf {
    std::uint32_t number, size;
};
TypeOf type_of(Field field) {
    constexpr std::array<TypeOf, 7> types{{{7, 4}, {8, 16}, {9, 6}, {12, 1}, {13, 2}, {19, 4}, {41, 16}}};
    return types[static_cast<std::size_t>(field)];
}

// A concatenation's number has six bits a field; its fields are padded to registers.
TypeOf type_of(const std::vector<Field>& fields) {
    TypeOf whole{0, 0};
    for (const Field field : fields) {
        const TypeOf type = type_of(field);
        whole.number = (whole.number << 6) | type.number;
        whole.size += fields.size() == 1 ? type.size : (type.size + 3) / 4 * 4;
    }
    return whole;
}

std::string_view family_text(std::uint8_t family) {
    switch (family) {
    case NFPROTO_IPV4:
        return "ip ";
    case NFPROTO_IPV6:
        return "ip6 ";
    case NFPROTO_BRIDGE:
        return "bridge ";
    default:
        return "inet ";
    }
}

constexpr std::size_t most_item_bytes = std::size_t(8) * 1024; ///< of one message
constexpr std::size_t most_shown = 20;

std::string element_text(const Element& element) {
    return os::cat(os::hex(element.key), element.key_end.empty() ? "" : "-", os::hex(element.key_end),
                   element.owner.empty() ? "" : " comment ",
                   element.owner.empty() ? std::string() : os::quote(element.owner));
}

ChainPtr chain_of(const std::string& table, const std::string& name) {
    ChainPtr chain = made(ChainPtr(nftnl_chain_alloc()));
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table.c_str());
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, name.c_str());
    return chain;
}

RulePtr rule_of(const std::string& table, const std::string& chain) {
    RulePtr rule = made(RulePtr(nftnl_rule_alloc()));
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, chain.c_str());
    return rule;
}

// User data by which `nft list` knows how names and marks lie in memory: type, length, 1 (host) or 2 (network order).
Bytes byte_order_of(const Set& set) {
    const auto order = [](const std::vector<Field>& fields) -> std::uint32_t {
        return fields.size() == 1 && (fields[0] == Field::ifname || fields[0] == Field::mark) ? 1 : 2;
    };
    Bytes bytes{NFTNL_UDATA_SET_KEYBYTEORDER, 4};
    append_mark(bytes, order(set.key));
    if (!set.data.empty()) {
        bytes.push_back(NFTNL_UDATA_SET_DATABYTEORDER);
        bytes.push_back(4);
        append_mark(bytes, order(set.data));
    }
    return bytes;
}

void put_set(nlmsghdr* message, const std::string& table, std::uint8_t family, const Set& set, std::uint32_t id) {
    const SetPtr described = made(SetPtr(nftnl_set_alloc()));
    nftnl_set* out = described.get();
    nftnl_set_set_str(out, NFTNL_SET_TABLE, table.c_str());
    nftnl_set_set_str(out, NFTNL_SET_NAME, set.name.c_str());
    nftnl_set_set_u32(out, NFTNL_SET_FAMILY, family);
    nftnl_set_set_u32(out, NFTNL_SET_ID, id);
    const TypeOf key = type_of(set.key);
    nftnl_set_set_u32(out, NFTNL_SET_KEY_TYPE, key.number);
    nftnl_set_set_u32(out, NFTNL_SET_KEY_LEN, key.size);
    std::uint32_t flags = 0;
    if (set.verdicts) {
        flags |= NFT_SET_MAP;
        nftnl_set_set_u32(out, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
    } else if (!set.data.empty()) {
        flags |= NFT_SET_MAP;
        const TypeOf data = type_of(set.data);
        nftnl_set_set_u32(out, NFTNL_SET_DATA_TYPE, data.number);
        nftnl_set_set_u32(out, NFTNL_SET_DATA_LEN, data.size);
    }
    if (set.intervals) {
        flags |= NFT_SET_INTERVAL | NFT_SET_CONCAT;
        std::array<std::uint8_t, NFT_REG32_COUNT> lengths{}; // in bytes, without padding
        std::ranges::transform(set.key, lengths.begin(),
                               [](Field field) { return static_cast<std::uint8_t>(type_of(field).size); });
        nftnl_set_set_data(out, NFTNL_SET_DESC_CONCAT, lengths.data(), static_cast<std::uint32_t>(set.key.size()));
    }
    nftnl_set_set_u32(out, NFTNL_SET_FLAGS, flags);
    const Bytes order = byte_order_of(set);
    nftnl_set_set_data(out, NFTNL_SET_USERDATA, order.data(), static_cast<std::uint32_t>(order.size()));
    nftnl_set_nlmsg_build_payload(message, out);
}

// A batch in the making: messages one after the other, each with the next sequence number.
class Batch {
  public:
    Batch(Socket& socket, std::size_t expected_bytes) : socket_(&socket) { bytes_.reserve(expected_bytes); }
    std::uint32_t append(const wire::Buffer& buffer) {
        const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.bytes.data());
        bytes_.insert(bytes_.end(), buffer.bytes.data(), buffer.bytes.data() + MNL_ALIGN(message->nlmsg_len));
        return message->nlmsg_seq;
    }
    std::uint32_t mark(bool begin, std::optional<std::uint32_t> generation) {
        wire::Buffer buffer;
        const std::uint32_t sequence = socket_->next_sequence();
        nlmsghdr* message =
            begin ? nftnl_batch_begin(buffer.bytes.data(), sequence) : nftnl_batch_end(buffer.bytes.data(), sequence);
        if (begin && generation)
            mnl_attr_put_u32(message, NFNL_BATCH_GENID, htonl(*generation));
        return append(buffer);
    }
    [[nodiscard]] std::span<const char> bytes() const { return bytes_; }

  private:
    Socket* socket_;
    std::vector<char> bytes_;
};

} // namespace

std::string table_text(const Table& table) {
    return os::cat(family_text(table.family), table.name);
}

nlmsghdr* wire::header(Buffer& buffer, int type, std::uint8_t family, int flags) {
    return nftnl_nlmsg_build_hdr(buffer.bytes.data(), static_cast<std::uint16_t>(type), family,
                                 static_cast<std::uint16_t>(flags), 0);
}

void Transaction::record(std::string text, int type, int flags, std::function<void(nlmsghdr*)> build) {
    operations_.push_back({.text = std::move(text),
                           .type = static_cast<std::uint16_t>(type),
                           .flags = static_cast<std::uint16_t>(flags),
                           .build = std::move(build)});
}

Transaction& Transaction::add_table() {
    record(os::cat("add table ", table_text(table_)), NFT_MSG_NEWTABLE, NLM_F_CREATE,
           [name = std::string(table_.name)](nlmsghdr* message) {
               const TablePtr table = made(TablePtr(nftnl_table_alloc()));
               nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, name.c_str());
               nftnl_table_nlmsg_build_payload(message, table.get());
           });
    return *this;
}

Transaction& Transaction::add(const Set& set) {
    const auto id = static_cast<std::uint32_t>(operations_.size() + 1);
    record(os::cat("add ", set.text()), NFT_MSG_NEWSET, NLM_F_CREATE,
           [name = std::string(table_.name), family = table_.family, set, id](nlmsghdr* message) {
               put_set(message, name, family, set, id);
           });
    return *this;
}

Transaction& Transaction::put(std::string_view verb, const Rule& rule, int flags) {
    record(os::cat(verb, " rule ", table_text(table_), " ", rule.chain(), " ", rule.text()), NFT_MSG_NEWRULE,
           NLM_F_CREATE | flags, [name = std::string(table_.name), rule](nlmsghdr* message) {
               const RulePtr built = rule_of(name, rule.chain());
               rule.build(built.get());
               nftnl_rule_nlmsg_build_payload(message, built.get());
           });
    return *this;
}

Transaction& Transaction::add(const Rule& rule) {
    return put("add", rule, NLM_F_APPEND);
}

Transaction& Transaction::insert(const Rule& rule) {
    return put("insert", rule, 0);
}

namespace {

void put_chain(nlmsghdr* message, const std::string& table, const std::string& name, const std::optional<Hook>& hook) {
    const ChainPtr chain = chain_of(table, name);
    if (hook) {
        nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, hook->type.c_str());
        nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, hook->number);
        nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, hook->priority);
    }
    nftnl_chain_nlmsg_build_payload(message, chain.get());
}

} // namespace

Transaction& Transaction::add(const Chain& chain) {
    const std::string table(table_.name);
    record(os::cat("add chain ", table_text(table_), " ", chain.name), NFT_MSG_NEWCHAIN, NLM_F_CREATE,
           [table, name = chain.name, hook = chain.hook](nlmsghdr* message) { put_chain(message, table, name, hook); });
    if (chain.keep_rules)
        return *this;
    flush_chain(chain.name);
    for (const Rule& rule : chain.rules)
        add(rule);
    return *this;
}

Transaction& Transaction::remove_rule(const std::string& chain, std::uint64_t handle) {
    record(os::cat("delete rule ", table_text(table_), " ", chain, " handle ", handle), NFT_MSG_DELRULE, 0,
           [table = std::string(table_.name), chain, handle](nlmsghdr* message) {
               const RulePtr rule = rule_of(table, chain);
               nftnl_rule_set_u64(rule.get(), NFTNL_RULE_HANDLE, handle);
               nftnl_rule_nlmsg_build_payload(message, rule.get());
           });
    return *this;
}

Transaction& Transaction::flush_chain(const std::string& name) {
    record(os::cat("flush chain ", table_text(table_), " ", name), NFT_MSG_DELRULE, 0,
           [table = std::string(table_.name), name](nlmsghdr* message) {
               const RulePtr all = rule_of(table, name);
               nftnl_rule_nlmsg_build_payload(message, all.get());
           });
    return *this;
}

Transaction& Transaction::remove_chain(const std::string& name) {
    record(os::cat("delete chain ", table_text(table_), " ", name), NFT_MSG_DELCHAIN, 0,
           [table = std::string(table_.name), name](nlmsghdr* message) { put_chain(message, table, name, {}); });
    return *this;
}

Transaction& Transaction::add(const Fragment& fragment, bool schema_known) {
    add_table();
    add(Set{.name = "schema", .key = {Field::ifname}, .data = {Field::mark}});
    for (const Set& set : fragment.sets)
        add(set);
    for (const Chain& chain : fragment.chains) { // all of them first: rules jump to chains further down
        Chain empty = chain;
        empty.rules.clear();
        add(empty);
    }
    for (const Chain& chain : fragment.chains) {
        for (const Rule& rule : chain.rules)
            add(rule);
    }
    Element entry{.set = "schema"};
    append_ifname(entry.key, fragment.name);
    append_mark(entry.data, fragment.hash());
    if (schema_known)
        remove(entry);
    return put(entry);
}

Transaction& Transaction::record(std::string_view verb, int type, int flags, const Element& element) {
    wire::Buffer buffer;
    const auto item = wire::item(buffer, element, type == NFT_MSG_DELSETELEM ? wire::Part::key : wire::Part::whole);
    const auto joins = [&](const Operation& last) {
        return last.type == type && last.flags == flags && last.set == element.set &&
               last.items.size() + item.size() <= most_item_bytes;
    };
    if (operations_.empty() || !joins(operations_.back())) {
        record(os::cat(verb, " element ", table_text(table_), " "), type, flags, {});
        operations_.back().set = element.set;
    }
    std::vector<char>& items = operations_.back().items;
    items.insert(items.end(), item.begin(), item.end());
    return *this;
}

Transaction& Transaction::put(const Element& element) {
    return record("add", NFT_MSG_NEWSETELEM, NLM_F_CREATE, element);
}

Transaction& Transaction::create(const Element& element) {
    return record("create", NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, element);
}

Transaction& Transaction::remove(const Element& element) {
    return record("delete", NFT_MSG_DELSETELEM, 0, element);
}

std::vector<Element> Transaction::Operation::elements() const {
    std::vector<Element> elements;
    wire::read_items(items, set, elements);
    return elements;
}

// Elements are put into words only when somebody asks: a container may have hundreds.
std::string Transaction::text_of(const Operation& operation) {
    if (operation.set.empty())
        return operation.text;
    std::vector<std::string> texts;
    for (const Element& element : operation.elements())
        texts.push_back(element_text(element));
    const bool all = texts.size() <= most_shown;
    texts.resize(std::min(texts.size(), most_shown));
    return os::cat(operation.text, operation.set, " { ", os::join(texts, ", "), all ? "" : ", …", " }");
}

nlmsghdr* Transaction::build(const Operation& operation, wire::Buffer& buffer) const {
    if (!operation.set.empty()) {
        nlmsghdr* message = wire::elements_header(buffer, operation.type, table_, operation.set, operation.flags);
        wire::put_list(message, operation.items);
        return message;
    }
    nlmsghdr* message = wire::header(buffer, operation.type, table_.family, operation.flags);
    operation.build(message);
    return message;
}

void Transaction::commit() {
    taken_.clear();
    constexpr std::size_t most_about_an_operation = 128; // but for rules
    std::size_t expected = most_about_an_operation * (operations_.size() + 2);
    for (const Operation& operation : operations_)
        expected += operation.items.size();
    Batch batch(*socket_, expected);
    const std::uint32_t first = batch.mark(true, generation_);
    std::map<std::uint32_t, const Operation*> sent;
    std::uint32_t last = first;
    for (const Operation& operation : operations_) {
        wire::Buffer buffer;
        nlmsghdr* message = build(operation, buffer);
        message->nlmsg_seq = socket_->next_sequence();
        if (&operation == &operations_.back())
            message->nlmsg_flags |= NLM_F_ACK;
        last = batch.append(buffer);
        sent[last] = &operation;
    }
    (void)batch.mark(false, {});

    const auto refusals = socket_->send_batch(batch.bytes(), first, last);
    if (refusals.empty())
        return;
    for (const Socket::Refusal& refusal : refusals) {
        const auto operation = sent.find(refusal.sequence);
        if (operation == sent.end() || (operation->second->flags & NLM_F_EXCL) == 0 || refusal.err != EEXIST)
            continue;
        for (Element& element : operation->second->elements())
            taken_.push_back(std::move(element));
    }
    const auto culprit = sent.find(refusals.front().sequence);
    throw Error(refusals.front().err, culprit == sent.end() ? "commit to nf_tables" : text_of(*culprit->second), "");
}

std::string Transaction::text() const {
    std::string text;
    for (const Operation& operation : operations_)
        text += os::cat(text_of(operation), "\n");
    return text;
}

} // namespace nft
