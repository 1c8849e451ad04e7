// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netlink.h>

#include "nftables/element_message.h"
#include "nftables/foreign.h"
#include "nftables/ruleset.h"
#include "nftables/subnets.h"
#include "nftables/transaction.h"
#include "os/text.h"

using namespace nft;

TEST_CASE("nft keys: fields lie in network order, each padded to a register") {
    Bytes key;
    append_proto(key, 6);
    append_port(key, 8080);
    CHECK(os::hex(key) == "060000001f900000");
    Bytes mapped;
    append_address(mapped, *inet::Address::parse("10.1.0.2"));
    append_port(mapped, 80);
    CHECK(os::hex(mapped) == "0a01000200500000");
    Bytes frame;
    append_ifname(frame, "veth12345678");
    append_mac(frame, *inet::Mac::parse("02:00:00:00:00:01"));
    CHECK(os::hex(frame) == "76657468313233343536373800000000"
                            "0200000000010000");
    CHECK(key_of(*inet::Address::parse("fd00::2")).size() == 16);
}

TEST_CASE("nft keys: an over-long interface name is cut, never overflows") {
    Bytes name;
    append_ifname(name, "a-name-far-longer-than-the-kernel-takes");
    REQUIRE(name.size() == 16);
    CHECK(name.back() == 0);
}

TEST_CASE("nft keys: nothing longer than the kernel takes") {
    Bytes bytes(Bytes::capacity);
    CHECK(os::hex(bytes).find_first_not_of('0') == std::string::npos);
    CHECK_THROWS_AS(bytes.push_back(1), std::length_error);
    CHECK_THROWS_AS(Bytes(Bytes::capacity + 1), std::length_error);
    CHECK(Bytes{1, 2} < Bytes{1, 2, 0});
    CHECK(Bytes{1, 3} > Bytes{1, 2, 0});
}

TEST_CASE("nft elements: what goes into a message is read back from it") {
    const std::vector<Element> sent{
        {.set = "m", .key = {1, 2, 3, 4}, .key_end = {1, 2, 3, 9}, .data = {5, 6, 7, 8}, .owner = "net/c1/eth0"},
        {.set = "m", .key = Bytes(Bytes::capacity), .jump = "a chain", .owner = std::string(300, 'o')},
        {.set = "m", .key = {9}}};
    std::vector<char> items;
    for (const Element& element : sent) {
        wire::Buffer buffer;
        const auto item = wire::item(buffer, element, wire::Part::whole);
        items.insert(items.end(), item.begin(), item.end());
    }
    std::vector<Element> read;
    wire::read_items(items, "m", read);
    REQUIRE(read.size() == sent.size());
    CHECK(std::ranges::equal(read, sent, same_place));
    CHECK(read[0].data == sent[0].data);
    CHECK(read[0].owner == "net/c1/eth0");
    CHECK(read[1].jump == "a chain");
    CHECK(read[1].owner == std::string(253, 'o')); // as much as a comment takes
    CHECK(read[2].owner.empty());
    for (std::size_t cut = 0; cut < items.size(); ++cut) { // wherever it ends, nothing behind the end is read
        const std::vector<char> part(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(cut));
        wire::read_items(part, "m", read);
    }
}

TEST_CASE("nft elements: each once, a set's beside each other") {
    const auto places = [](std::vector<Element> elements) {
        keep_one_of_each(elements);
        std::string text;
        for (const Element& element : elements)
            text += os::cat(element.set, os::hex(element.key), " ");
        return text;
    };
    CHECK(places({}).empty());
    CHECK(places({{.set = "b", .key = {1}}, {.set = "b", .key = {2}}, {.set = "a", .key = {1}}}) == "b01 b02 a01 ");
    CHECK(places({{.set = "b", .key = {2}}, {.set = "b", .key = {1}}, {.set = "a", .key = {1}}}) == "a01 b01 b02 ");
    CHECK(places({{.set = "b", .key = {1}}, {.set = "a", .key = {1}}, {.set = "b", .key = {1}}}) == "a01 b01 ");
    CHECK(places({{.set = "b", .key = {1}}, {.set = "b", .key = {1}}}) == "b01 ");
}

TEST_CASE("nft elements: a set's list has each once, or lacks some") {
    CHECK(has_each_once({}));
    std::vector<Element> elements{{.set = "s", .key = {2}}, {.set = "s", .key = {1}}, {.set = "s", .key = {1, 0}}};
    CHECK(has_each_once(elements));
    elements.push_back({.set = "s", .key = {1}, .key_end = {5}});
    CHECK(has_each_once(elements));
    elements.push_back({.set = "s", .key = {2}});
    CHECK(!has_each_once(elements));
}

TEST_CASE("nft batches: neighbours of one set and verb share a message") {
    Socket socket;
    Transaction batch(socket, {NFPROTO_INET, "t"});
    batch.remove({.set = "s", .key = {1}}).remove({.set = "s", .key = {2}}).put({.set = "s", .key = {3}});
    CHECK(batch.text() == "delete element inet t s { 01, 02 }\nadd element inet t s { 03 }\n");
    Transaction large(socket, {NFPROTO_INET, "t"});
    for (int i = 0; i < 21; ++i)
        large.create({.set = "s", .key = {1}});
    CHECK(large.text().ends_with(", 01, … }\n"));
}

TEST_CASE("nft sets print as nft writes them") {
    CHECK(Set{.name = "masq4", .key = {Field::ipv4_addr}}.text() == "set masq4 { type ipv4_addr; }");
    CHECK(Set{.name = "ports",
              .key = {Field::inet_proto, Field::inet_service},
              .data = {Field::ipv6_addr, Field::inet_service}}
              .text() == "map ports { type inet_proto . inet_service : ipv6_addr . inet_service; }");
    CHECK(Set{.name = "v", .key = {Field::ipv4_addr}, .verdicts = true}.text() ==
          "map v { type ipv4_addr : verdict; }");
}

TEST_CASE("nft rules print as nft writes them") {
    Rule rule("c");
    rule.prefix(Selector::ip_saddr, *inet::Prefix::parse("10.1.2.3/24"))
        .interface(Selector::iifname, "eth", true, true)
        .in_set({Selector::iifname, Selector::ether_saddr}, "allowed", true)
        .drop();
    CHECK(rule.text() == R"(ip saddr 10.1.2.0/24 iifname != "eth*" iifname . ether saddr != @allowed drop)");
    CHECK(Rule("c").was_dnatted().jump("x").text() == "ct status dnat jump x");
    CHECK(Rule("c").dnat(inet::Family::v4, {Selector::l4proto, Selector::th_dport}, "m").text() ==
          "dnat ip to meta l4proto . th dport map @m");
}

TEST_CASE("nft rules about marks and connections print as nft reads them") {
    CHECK(Rule("c").is_answer().accept().text() == "ct state established,related accept");
    CHECK(Rule("c").mark(12, 15).set_mark(0, 15).text() == "meta mark & 15 == 12 meta mark set meta mark & 4294967280");
    CHECK(Rule("c").set_mark(12, 15).text() == "meta mark set meta mark & 4294967280 ^ 12");
}

TEST_CASE("nft rules in iptables' own tables print its words") {
    CHECK(Rule("c").xt_comment("why \"so\"").xt_mark(1, 3).counter().accept().text() ==
          "-m comment --comment \"why \\\"so\\\"\" -m mark --mark 1/3 counter accept");
    Socket socket;
    Transaction batch(socket, {NFPROTO_IPV4, "filter"});
    batch.insert(Rule("FORWARD").jump("CNI-FORWARD"));
    CHECK(batch.text() == "insert rule ip filter FORWARD jump CNI-FORWARD\n");
}

TEST_CASE("nft fragments: another text is another hash") {
    Fragment fragment{.name = "f", .table = {NFPROTO_INET, "t"}, .sets = {{.name = "a", .key = {Field::mark}}}};
    const std::uint32_t before = fragment.hash();
    CHECK(before == fragment.hash());
    fragment.sets.push_back({.name = "b", .key = {Field::mark}});
    CHECK(before != fragment.hash());
}

TEST_CASE("nft transactions print one operation a line") {
    Socket socket; // opens nothing until it is used
    Transaction batch(socket, {NFPROTO_INET, "cnative"});
    batch.add_table().add(Chain{.name = "c", .rules = {Rule("c").accept()}});
    batch.create({.set = "masq4", .key = key_of(*inet::Address::parse("10.1.0.2")), .owner = "net/c1/eth0"});
    CHECK(batch.text() == "add table inet cnative\n"
                          "add chain inet cnative c\n"
                          "flush chain inet cnative c\n"
                          "add rule inet cnative c accept\n"
                          "create element inet cnative masq4 { 0a010002 comment \"net/c1/eth0\" }\n");
}

TEST_CASE("nft transactions print what they remove, in the words of the table's family") {
    Socket socket;
    Transaction batch(socket, {NFPROTO_IPV6, "nat"});
    batch.remove_rule("POSTROUTING", 5).flush_chain("CNI-1").remove_chain("CNI-1");
    CHECK(batch.text() == "delete rule ip6 nat POSTROUTING handle 5\n"
                          "flush chain ip6 nat CNI-1\n"
                          "delete chain ip6 nat CNI-1\n");
}

TEST_CASE("nft subnet ledgers are named after their chain") {
    CHECK(subnet_ledger("masq_within4", inet::Family::v4).text() ==
          "set masq_within4_subnets { type ipv4_addr . mark; }");
}

namespace {

using namespace std::string_literals;

std::string attribute(int type, std::string_view payload) {
    const nlattr header{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()),
                        .nla_type = static_cast<std::uint16_t>(type)};
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += payload;
    return bytes.append((NLA_ALIGNTO - bytes.size() % NLA_ALIGNTO) % NLA_ALIGNTO, '\0');
}

std::string word(int type, std::uint32_t number) {
    const std::uint32_t sent = htonl(number);
    return attribute(type, {reinterpret_cast<const char*>(&sent), sizeof sent});
}

std::string value(int type, std::string_view bytes) {
    return attribute(type | NLA_F_NESTED, attribute(NFTA_DATA_VALUE, bytes));
}

std::string expression(const std::string& name, const std::string& data) {
    return attribute(NFTA_LIST_ELEM | NLA_F_NESTED,
                     attribute(NFTA_EXPR_NAME, name + '\0') + attribute(NFTA_EXPR_DATA | NLA_F_NESTED, data));
}

std::string loads(std::uint32_t offset, std::uint32_t size) {
    return expression("payload", word(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER) +
                                     word(NFTA_PAYLOAD_OFFSET, offset) + word(NFTA_PAYLOAD_LEN, size));
}

std::string equals(std::string_view bytes) {
    return expression("cmp", word(NFTA_CMP_OP, NFT_CMP_EQ) + value(NFTA_CMP_DATA, bytes));
}

std::string decides(std::uint32_t code, const std::string& chain) {
    const std::string to = chain.empty() ? chain : attribute(NFTA_VERDICT_CHAIN, chain + '\0');
    return expression("immediate",
                      attribute(NFTA_IMMEDIATE_DATA, attribute(NFTA_DATA_VERDICT, word(NFTA_VERDICT_CODE, code) + to)));
}

// As the kernel lists a rule: table, chain, handle, expressions, user data.
std::string rule_of(const std::string& expressions) {
    return attribute(NFTA_RULE_TABLE, "nat\0"s) + attribute(NFTA_RULE_CHAIN, "POSTROUTING\0"s) +
           attribute(NFTA_RULE_HANDLE, "\0\0\0\1\0\0\0\2"s) +
           attribute(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, expressions) + attribute(NFTA_RULE_USERDATA, "\0\4c 1\0"s);
}

std::optional<ForeignRule> read(const std::string& rule, std::uint8_t family = NFPROTO_IPV4) {
    const std::vector<std::uint8_t> bytes(rule.begin(), rule.end()); // of this very size, for the sanitizer
    return read_rule(bytes, family);
}

std::string source_text(const ForeignRule& rule) {
    return rule.source ? rule.source->text() : std::string();
}

} // namespace

// The name's bytes were read as the rule's source address.
TEST_CASE("nft rules of others: what is compared behind a look-up is no address") {
    const auto rule = read(rule_of(loads(12, 4) + expression("lookup", {}) + expression("meta", {}) + equals("br-0"s) +
                                   decides(NF_ACCEPT, {})));
    REQUIRE(rule);
    CHECK(source_text(*rule) == "");
    CHECK(rule->kinds == "payload lookup meta cmp immediate");
}

TEST_CASE("nft rules of others: their place, comment, addresses and verdict are read") {
    const auto jump = read(rule_of(loads(12, 4) + equals("\x0a\1\0\2"s) + loads(16, 3) + equals("\x0a\2\0"s) +
                                   expression("counter", {}) + decides(static_cast<std::uint32_t>(NFT_JUMP), "CNI-1")));
    REQUIRE(jump);
    CHECK(jump->chain == "POSTROUTING");
    CHECK(jump->handle == 0x100000002);
    CHECK(jump->comment == "c 1");
    CHECK(source_text(*jump) == "10.1.0.2/32");
    REQUIRE(jump->destination);
    CHECK(jump->destination->text() == "10.2.0.0/24");
    CHECK(jump->jump == "CNI-1");
    CHECK(!jump->accepts);
    CHECK(jump->kinds == "payload cmp payload cmp immediate");
    const std::string cut =
        expression("bitwise", value(NFTA_BITWISE_MASK, std::string(8, '\xff') + std::string(8, '\0')));
    const auto accepting = read(rule_of(loads(8, 16) + cut + equals("\xfd"s + std::string(15, '\0')) +
                                        expression("match", attribute(NFTA_MATCH_NAME, "comment\0"s) +
                                                                attribute(NFTA_MATCH_INFO, "why\0of old"s)) +
                                        decides(NF_ACCEPT, {})),
                                NFPROTO_IPV6);
    REQUIRE(accepting);
    CHECK(source_text(*accepting) == "fd00::/64");
    CHECK(accepting->comment == "why");
    CHECK(accepting->jump.empty());
    CHECK(accepting->accepts);
}

TEST_CASE("nft rules of others: what is broken or unknown in one is no address and no verdict of it") {
    const auto odd = read(rule_of(expression("new in Linux 9", word(1, 1)) + attribute(NFTA_LIST_ELEM, {}) +
                                  loads(12, 17) + equals("\x0a\1\0\2"s) + // too long for an address
                                  loads(12, 4) + equals(std::string(17, '\x0a')) + equals("\x0a\1\0\2"s) +
                                  loads(12, 4) + expression("bitwise", word(NFTA_BITWISE_OP, 2)) + // a shift
                                  equals("\x0a\1\0\2"s) + loads(12, 4) + expression("cmp", {}) +
                                  expression("immediate", value(NFTA_IMMEDIATE_DATA, "\0\0\0\1"s))));
    REQUIRE(odd);
    CHECK(!odd->source);
    CHECK(!odd->accepts);
    CHECK(odd->jump.empty());
    CHECK(odd->kinds.starts_with("new in Linux 9 ? payload cmp"));
    CHECK(!read(attribute(NFTA_RULE_CHAIN, "c\0"s))); // cannot be removed
}

TEST_CASE("nft rules of others: wherever one ends, nothing behind the end is read") {
    const std::string whole = rule_of(loads(12, 4) + equals("\x0a\1\0\2"s) + decides(NF_ACCEPT, {}));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto rule = read(whole.substr(0, size));
        CHECK((!rule || rule->handle == 0x100000002));
    }
}
