// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

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

TEST_CASE("nft rules of others: an expression without a name is found before libnftnl crashes on it") {
    for (const bool named : {true, false}) {
        alignas(nlmsghdr) char buffer[256]{};
        nlmsghdr* rule = mnl_nlmsg_put_header(buffer);
        mnl_nlmsg_put_extra_header(rule, sizeof(nfgenmsg));
        nlattr* list = mnl_attr_nest_start(rule, NFTA_RULE_EXPRESSIONS);
        for (const bool with_name : {true, named}) {
            nlattr* expression = mnl_attr_nest_start(rule, NFTA_LIST_ELEM);
            if (with_name)
                mnl_attr_put_strz(rule, NFTA_EXPR_NAME, "counter");
            mnl_attr_nest_end(rule, expression);
        }
        mnl_attr_nest_end(rule, list);
        CHECK(has_named_expressions(rule) == named);
    }
}
