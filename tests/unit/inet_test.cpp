// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "inet/address.h"
#include "inet/mac.h"

namespace {

using inet::Address;
using inet::Family;
using inet::Mac;
using inet::Prefix;

Address address(std::string_view text) {
    const auto parsed = Address::parse(text);
    REQUIRE_MESSAGE(parsed, std::string(text));
    return *parsed;
}

Prefix prefix(std::string_view text) {
    const auto parsed = Prefix::parse(text);
    REQUIRE_MESSAGE(parsed, std::string(text));
    return *parsed;
}

} // namespace

TEST_SUITE_BEGIN("inet");

TEST_CASE("addresses are printed as Go prints them") {
    const std::vector<std::pair<std::string, std::string>> table{
        {"0.0.0.0", "0.0.0.0"},
        {"10.1.2.3", "10.1.2.3"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"FD00::00A1", "fd00::a1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    // RFC 5952 4.2.3: the first of equal runs
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          // the longest run
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, // 4.2.2: one group is not shortened
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"::ffff:10.0.0.1", "10.0.0.1"}, // v4-mapped is IPv4
        {"::ffff:a00:1", "10.0.0.1"},
        {"::1.2.3.4", "::102:304"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"fe80::1:0:0:0", "fe80::1:0:0:0"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (const auto& row : table)
        CHECK_MESSAGE(address(row.first).text() == row.second, row.first);
}

TEST_CASE("what is no address is refused") {
    for (const std::string text : {"",
                                   " ",
                                   "1",
                                   "1.2.3",
                                   "1.2.3.4.5",
                                   "1.2.3.256",
                                   "1.2.3.-4",
                                   "1.2.3.+4",
                                   "01.2.3.4",
                                   "1.2.3.04",
                                   "1.2.3.00",
                                   "1.2.3.4 ",
                                   " 1.2.3.4",
                                   "1.2.3.4.",
                                   ".1.2.3.4",
                                   "1..2.3",
                                   "0x1.2.3.4",
                                   "1.2.3.0004",
                                   "1.2.3.4/24",
                                   ":",
                                   ":::",
                                   "1:2:3:4:5:6:7",
                                   "1:2:3:4:5:6:7:8:9",
                                   "1:2:3:4:5:6:7:8::",
                                   "::1:2:3:4:5:6:7:8",
                                   "1::2::3",
                                   ":1::2",
                                   "1::2:",
                                   "12345::",
                                   "g::",
                                   "::1%eth0",
                                   "::1.2.3",
                                   "::1.2.3.4:5",
                                   "1:2:3:4:5:6:7:1.2.3.4",
                                   "::01.2.3.4",
                                   "fe80::1/64",
                                   "::-1"})
        CHECK_MESSAGE(!Address::parse(text), text);
}

TEST_CASE("addresses come from 4 or 16 bytes") {
    const std::vector<std::uint8_t> v4{10, 0, 0, 1}, odd{1, 2, 3};
    std::vector<std::uint8_t> mapped(16);
    mapped[10] = mapped[11] = 0xff;
    mapped[12] = 10;
    mapped[15] = 1;
    CHECK(Address::from_bytes(v4) == address("10.0.0.1"));
    CHECK(Address::from_bytes(mapped) == address("10.0.0.1"));
    CHECK(!Address::from_bytes(odd));
    CHECK(!Address::from_bytes({}));
    CHECK(Address::any(Family::v6).text() == "::");
    CHECK(Address::any(Family::v6).bytes().size() == 16);
    CHECK(Address() == address("0.0.0.0"));
}

TEST_CASE("counting goes over byte borders and stops at the end of the address space") {
    CHECK(address("10.0.0.255").next()->text() == "10.0.1.0");
    CHECK(address("10.255.255.255").next()->text() == "11.0.0.0");
    CHECK(address("0.0.0.0").plus(0xffffffff)->text() == "255.255.255.255");
    CHECK(!address("0.0.0.0").plus(0x100000000));
    CHECK(!address("255.255.255.255").next());
    CHECK(address("255.255.255.255").plus(0)->text() == "255.255.255.255");
    CHECK(!address("255.255.255.0").plus(256));
    CHECK(address("fd00::ffff:ffff:ffff:ffff").next()->text() == "fd00:0:0:1::");
    CHECK(address("fd00::").plus(UINT64_MAX)->text() == "fd00::ffff:ffff:ffff:ffff");
    CHECK(address("fd00::1").plus(UINT64_MAX)->text() == "fd00:0:0:1::");
    CHECK(!address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").next());
    CHECK(!address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0").plus(16));
    CHECK(address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0").plus(15).has_value());
    CHECK(address("10.0.1.0").previous()->text() == "10.0.0.255");
    CHECK(address("fd00:0:0:1::").previous()->text() == "fd00::ffff:ffff:ffff:ffff");
    CHECK(!address("0.0.0.0").previous());
    CHECK(!address("::").previous());
}

TEST_CASE("addresses order by number, IPv4 before IPv6") {
    CHECK(address("9.255.255.255") < address("10.0.0.0"));
    CHECK(address("255.255.255.255") < address("::"));
    CHECK(address("::ffff") < address("::1:0"));
    CHECK(address("::1") != address("0.0.0.1"));
}

TEST_CASE("kinds of addresses") {
    CHECK(address("0.0.0.0").is_unspecified());
    CHECK(address("::").is_unspecified());
    CHECK(!address("::1").is_unspecified());
    CHECK(address("127.200.0.1").is_loopback());
    CHECK(address("::1").is_loopback());
    CHECK(!address("::2").is_loopback());
    CHECK(!address("128.0.0.1").is_loopback());
}

TEST_CASE("prefixes keep their host bits") {
    const std::vector<std::pair<std::string, std::string>> table{
        {"10.1.2.5/24", "10.1.2.5/24"},
        {"10.1.2.5/32", "10.1.2.5/32"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"fd00::5/64", "fd00::5/64"},
        {"::/0", "::/0"},
        {"fd00::5/128", "fd00::5/128"},
        {"10.0.0.0/024", "10.0.0.0/24"},
        {"::ffff:10.0.0.1/120", "10.0.0.1/24"},
    };
    for (const auto& row : table)
        CHECK_MESSAGE(prefix(row.first).text() == row.second, row.first);
}

TEST_CASE("what is no prefix is refused") {
    for (const std::string text :
         {"", "/", "10.0.0.0", "10.0.0.0/", "/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8",
          "10.0.0.0/8 ", "10.0.0/8", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "::/129", "::ffff:10.0.0.1/24",
          "::ffff:10.0.0.1/129", "fd00::/99999999999999999999", "10.0.0.0/4294967304", "<nil>"})
        CHECK_MESSAGE(!Prefix::parse(text), text);
}

TEST_CASE("a prefix knows its first and last address") {
    struct Row {
        std::string text, network, last;
    };
    for (const Row& row : std::vector<Row>{
             {"10.1.2.5/24", "10.1.2.0", "10.1.2.255"},
             {"10.1.2.5/20", "10.1.0.0", "10.1.15.255"},
             {"10.1.2.5/31", "10.1.2.4", "10.1.2.5"},
             {"10.1.2.5/32", "10.1.2.5", "10.1.2.5"},
             {"10.1.2.5/0", "0.0.0.0", "255.255.255.255"},
             {"fd00::1:2/64", "fd00::", "fd00::ffff:ffff:ffff:ffff"},
             {"fd00::ff/121", "fd00::80", "fd00::ff"},
             {"::1/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
         }) {
        CHECK_MESSAGE(prefix(row.text).network().text() == row.network, row.text);
        CHECK_MESSAGE(prefix(row.text).last().text() == row.last, row.text);
    }
    CHECK(prefix("10.1.2.5/24").masked() == prefix("10.1.2.0/24"));
}

TEST_CASE("a prefix contains the addresses of its own family only") {
    CHECK(prefix("10.1.2.5/24").contains(address("10.1.2.200")));
    CHECK(!prefix("10.1.2.5/24").contains(address("10.1.3.0")));
    CHECK(prefix("0.0.0.0/0").contains(address("1.2.3.4")));
    CHECK(!prefix("0.0.0.0/0").contains(address("::1")));
    CHECK(!prefix("::/0").contains(address("1.2.3.4")));
    CHECK(prefix("fd00::/8").contains(address("fd12::1")));
    CHECK(prefix("0.0.0.0/0").is_default());
    CHECK(prefix("::/0").is_default());
    CHECK(!prefix("10.0.0.0/0").is_default());
    CHECK(!prefix("0.0.0.0/1").is_default());
}

TEST_CASE("MAC addresses are read as Go reads them") {
    for (const std::string text : {"02:ab:cd:ef:01:23", "02-AB-CD-EF-01-23", "02ab.cdef.0123", "02AB.CDEF.0123"}) {
        const auto mac = Mac::parse(text);
        REQUIRE_MESSAGE(mac, text);
        CHECK_MESSAGE(mac->text() == "02:ab:cd:ef:01:23", text);
    }
    for (const std::string text :
         {"", "zz", "02:ab:cd:ef:01", "02:ab:cd:ef:01:2", "02:ab:cd:ef:01:2g", "02:ab-cd:ef:01:23",
          "02:ab:cd:ef:01:23:45:67", "2:ab:cd:ef:01:23", "02ab:cdef:0123", "02ab.cdef-0123", "02abcdef0123",
          " 02:ab:cd:ef:01:23", "02:ab:cd:ef:01:23 ", "+2:ab:cd:ef:01:23"})
        CHECK_MESSAGE(!Mac::parse(text), text);
}

TEST_CASE("a MAC address of zeros prints as none") {
    CHECK(Mac{}.text().empty());
    CHECK(Mac::parse("00:00:00:00:00:00") == Mac{});
    CHECK(Mac::parse("00:00:00:00:00:01")->text() == "00:00:00:00:00:01");
}

TEST_SUITE_END();
