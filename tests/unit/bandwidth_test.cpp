// SPDX-License-Identifier: Apache-2.0
// bandwidth: the arithmetic, the filters, where limits come from.
#include <doctest/doctest.h>

#include "../../plugins/meta/bandwidth/config.h"
#include "../../plugins/meta/bandwidth/ifb.h"
#include "../../plugins/meta/bandwidth/shaper.h"
#include "thrown.h"

using bandwidth::FarEnd;
using netlink::TokenBucket;

namespace {

bandwidth::Config parse(const std::string& json) {
    cni::Invocation call;
    call.config = cni::Object::parse(json);
    return bandwidth::parse(call);
}

std::string error(const std::string& json) {
    return thrown([&] { return parse(json); });
}

bandwidth::Subnets subnets(bool shaped, const std::string& text) {
    const std::vector<inet::Prefix> list = {inet::Prefix::parse(text)->masked()};
    return shaped ? bandwidth::Subnets{.shaped = list} : bandwidth::Subnets{.unshaped = list};
}

} // namespace

TEST_CASE("bandwidth: a limit as the kernel takes it") {
    CHECK(bandwidth::token_bucket({8, 8}) == TokenBucket{.rate = 1, .limit = 1, .buffer = 15625000});
    CHECK(bandwidth::token_bucket({16, 8}) == TokenBucket{.rate = 2, .limit = 1, .buffer = 7812500});
    CHECK(bandwidth::token_bucket({8000000, 800000}) ==
          TokenBucket{.rate = 1000000, .limit = 125000, .buffer = 1562500});
    CHECK(bandwidth::token_bucket({50000000, 4294967295}) ==
          TokenBucket{.rate = 6250000, .limit = 156250 + 536870911, .buffer = 1342177265});
}

TEST_CASE("bandwidth: what does not fit 32 bits wraps as in the Go suite") {
    CHECK(bandwidth::token_bucket({1000000, 4294967295}).buffer == 2684354435);
    CHECK(bandwidth::token_bucket({999999, 4294967295}).buffer == 536750);
    CHECK(bandwidth::token_bucket({7, 8}) == TokenBucket{.rate = 0, .limit = 1, .buffer = 0});
    CHECK(bandwidth::token_bucket({UINT64_MAX, 8}).rate == UINT64_MAX / 8);
    CHECK(bandwidth::token_bucket({80000000000, 34359738352}).limit == 250000000 + 4294967294U);
}

TEST_CASE("bandwidth: a subnet is looked for at the far end's place in the packet") {
    using netlink::U32Key;
    auto filters = bandwidth::subnet_filters(subnets(false, "10.1.2.3/24"), FarEnd::source);
    REQUIRE(filters.size() == 1);
    CHECK(filters[0].keys == std::vector<U32Key>{{.offset = 12, .mask = 0xffffff00, .value = 0x0a010200}});
    CHECK(filters[0].class_id == netlink::handle(1, 1));
    CHECK(filters[0].protocol == 0x0800);
    filters = bandwidth::subnet_filters(subnets(true, "10.0.0.0/8"), FarEnd::destination);
    CHECK(filters[0].keys == std::vector<U32Key>{{.offset = 16, .mask = 0xff000000, .value = 0x0a000000}});
    CHECK(filters[0].class_id == netlink::handle(1, 48));
    filters = bandwidth::subnet_filters(subnets(true, "fd00:db8:abcd:1234:e000::/68"), FarEnd::source);
    CHECK(filters[0].keys == std::vector<U32Key>{{.offset = 8, .mask = 0xffffffff, .value = 0xfd000db8},
                                                 {.offset = 12, .mask = 0xffffffff, .value = 0xabcd1234},
                                                 {.offset = 16, .mask = 0xf0000000, .value = 0xe0000000}});
    CHECK(filters[0].protocol == 0x86dd);
    filters = bandwidth::subnet_filters(subnets(true, "::/0"), FarEnd::destination);
    CHECK(filters[0].keys.empty());
    filters = bandwidth::subnet_filters(subnets(true, "::1/128"), FarEnd::destination);
    CHECK(filters[0].keys.size() == 4);
    CHECK(filters[0].keys[3] == U32Key{.offset = 36, .mask = 0xffffffff, .value = 1});
}

TEST_CASE("bandwidth: limits of the config count before the runtime's, subnets beside either") {
    const std::string runtime = R"("runtimeConfig": {"bandwidth": {"IngressRate": 16, "IngressBurst": 16}})";
    CHECK(parse("{" + runtime + "}").ingress.rate == 16);
    CHECK(!parse(R"({"egressRate": 0, )" + runtime + "}").is_limited());
    CHECK(parse(R"({"egressRate": null, )" + runtime + "}").ingress.rate == 16);
    CHECK(parse(R"({"ingressRate": 8, "ingressBurst": 8, )" + runtime + "}").ingress.rate == 8);
    const auto config = parse(R"({"unshapedSubnets": ["10.1.2.3/8"], )" + runtime + "}");
    CHECK(config.ingress.rate == 16);
    REQUIRE(config.subnets.unshaped.size() == 1);
    CHECK(config.subnets.unshaped[0].text() == "10.0.0.0/8");
}

TEST_CASE("bandwidth: numbers are whole, not negative, and may have 64 bits") {
    CHECK(parse(R"({"ingressRate": 18446744073709551615, "ingressBurst": 8})").ingress.rate == UINT64_MAX);
    const std::string range = ": must be an integer from 0 to 18446744073709551615";
    for (const auto& [value, found] :
         std::vector<std::pair<std::string, std::string>>{{"-1", "a number (-1)"},
                                                          {"1.5", "a number (1.5)"},
                                                          {"18446744073709551616", "a number (18446744073709551616)"},
                                                          {"\"1\"", "a string (\"1\")"},
                                                          {"true", "a boolean (true)"}}) {
        CAPTURE(value);
        const std::string what = error(R"({"ingressRate": )" + value + "}");
        CHECK_MESSAGE(what.starts_with("999 failed to parse network configuration: key \"ingressRate\" is "), what);
        CHECK_MESSAGE(what.ends_with(range), what);
    }
}

TEST_CASE("bandwidth: subnets are checked where there is something to limit") {
    CHECK(error(R"({"shapedSubnets": ["x"], "ingressRate": 8, "ingressBurst": 8})") ==
          "999 bad subnet \"x\" provided, details invalid CIDR address: x");
    CHECK(error(R"({"shapedSubnets": ["x"]})") == "nothing");
}

TEST_CASE("bandwidth: the ifb has the Go suite's name") {
    cni::Invocation call;
    call.network = "net";
    call.container_id = "c1";
    call.ifname = "eth0";
    const auto names = bandwidth::ifb_names(call);
    CHECK(names[0] == "bwp623e1c388032");
    CHECK(names[1].size() == 15);
    CHECK(names[1] != names[0]);
}
