// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cni/error.h"
#include "cni/nearest.h"
#include "cni/object.h"
#include "os/text.h"
#include "thrown.h"

namespace {

using cni::Object;

std::string parse_failure(std::string_view json) {
    return thrown([&] { return Object::parse(json); });
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i)
        out += text;
    return out;
}

} // namespace

TEST_SUITE_BEGIN("cni");

TEST_CASE("a value is found by its key") {
    const Object config =
        Object::parse(R"({"mtu": 1500, "on": true, "name": "x", "list": ["a", null], "nothing": null})");
    CHECK(config.number("mtu", 0, 0, 65535) == 1500);
    CHECK(config.flag("on"));
    CHECK(config.text("name") == "x");
    CHECK(config.texts("list") == std::vector<std::string>{"a", ""});
    CHECK(!config.has("nothing"));
    CHECK(config.text("nothing", "fallback") == "fallback");
    CHECK(config.number("absent", 7, 0, 9) == 7);
    CHECK(!config.find_text("absent"));
    CHECK(config.texts("absent").empty());
    CHECK(!config.object("absent"));
    CHECK(config.keys() == std::vector<std::string>{"mtu", "on", "name", "list", "nothing"});
}

TEST_CASE("keys match whatever their letter case, and the last of several counts") {
    const Object config = Object::parse(R"({"hostPort": 1, "hostport": 2, "IPAM": {"SUBNET": "s"}})");
    CHECK(config.number("hostPort", 0, 0, 9) == 2);
    CHECK(config.number("HostPort", 0, 0, 9) == 2);
    CHECK(config.object("ipam")->text("subnet") == "s");
}

// The last one alone counted, so a subnet given apart from the type was lost.
TEST_CASE("an object that comes again adds to the one before it, at every level") {
    const Object config = Object::parse(
        R"({"ipam": {"type": "a", "x": {"p": 1}}, "b": 1, "IPAM": {"x": {"q": 2}, "subnet": "s", "type": "z"}})");
    const auto ipam = config.object("ipam");
    CHECK(ipam->text("type") == "z");
    CHECK(ipam->text("subnet") == "s");
    CHECK(ipam->object("x")->number("p", 0, 0, 9) == 1);
    CHECK(ipam->object("x")->number("q", 0, 0, 9) == 2);
    CHECK(config.object("ipam")->text("subnet") == "s");
}

TEST_CASE("an object of names has them as written, each as often as it is there") {
    const cni::Object object = cni::Object::parse(R"({"Map":{"a":"1","A":"2","a":null},"none":null,"bad":{"x":1}})");
    CHECK(object.named_texts("map") ==
          std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"A", "2"}, {"a", ""}});
    CHECK(object.named_texts("none").empty());
    CHECK(thrown([&] { return object.named_texts("bad"); }) == "999 key \"bad.x\" is a number (1): must be a string");
}

TEST_CASE("the last of several equal keys counts, and null does not") {
    const Object config = Object::parse(R"({"a": 1, "b": 1, "a": 2, "b": null})");
    CHECK(config.number("a", 0, 0, 9) == 2);
    CHECK(config.number("b", 0, 0, 9) == 1);
}

TEST_CASE("a wrong type or value names the key path, what was found and what is allowed") {
    const Object config = Object::parse(R"({"mtu": "big", "f": 1.5, "e": 1e3, "one": 1.0, "huge": 18446744073709551616,
        "max": 18446744073709551615, "neg": -1, "on": "true", "name": 5, "list": {}, "strings": ["a", 5], "objects": [{}, 5],
        "ipam": {"ranges": [[{"subnet": false}], 5]}, "long": "0123456789012345678901234567890123456789xyz", "nul": "a\u0000b"})");
    const auto number = [&](std::string_view key) { return thrown([&] { return config.number(key, 0, 0, 65535); }); };
    CHECK(number("mtu") == R"(999 key "mtu" is a string ("big"): must be an integer from 0 to 65535)");
    CHECK(number("f") == R"(999 key "f" is a number (1.5): must be an integer from 0 to 65535)");
    CHECK(number("e") == R"(999 key "e" is a number (1e3): must be an integer from 0 to 65535)");
    CHECK(number("one") == R"(999 key "one" is a number (1.0): must be an integer from 0 to 65535)");
    CHECK(number("huge") == R"(999 key "huge" is a number (18446744073709551616): must be an integer from 0 to 65535)");
    CHECK(number("max") == R"(999 key "max" is a number (18446744073709551615): must be an integer from 0 to 65535)");
    CHECK(number("neg") == R"(999 key "neg" is a number (-1): must be an integer from 0 to 65535)");
    CHECK(number("on") == R"(999 key "on" is a string ("true"): must be an integer from 0 to 65535)");
    CHECK(number("long") == "999 key \"long\" is a string (\"0123456789012345678901234567890123456789…\"): "
                            "must be an integer from 0 to 65535");
    CHECK(thrown([&] { return config.find_number("mtu", INT64_MIN, INT64_MAX); }) ==
          R"(999 key "mtu" is a string ("big"): must be an integer)");
    CHECK(thrown([&] { return config.find_number("neg", 0, INT64_MAX); }) ==
          R"(999 key "neg" is a number (-1): must be an integer of at least 0)");
    CHECK(thrown([&] { return config.flag("on"); }) == R"(999 key "on" is a string ("true"): must be true or false)");
    CHECK(thrown([&] { return config.text("name"); }) == R"(999 key "name" is a number (5): must be a string)");
    CHECK(thrown([&] { return config.text("nul"); }) ==
          R"(999 key "nul" is a string ("a\x00b"): must not hold a NUL byte)");
    CHECK(thrown([&] { return config.texts("list"); }) == R"(999 key "list" is an object: must be a list of strings)");
    CHECK(thrown([&] { return config.texts("strings"); }) ==
          R"(999 key "strings[1]" is a number (5): must be a string)");
    CHECK(thrown([&] { return config.objects("objects"); }) ==
          R"(999 key "objects[1]" is a number (5): must be an object)");
    CHECK(thrown([&] { return config.object("strings"); }) == R"(999 key "strings" is a list: must be an object)");
    const Object ipam = config.object("ipam").value();
    CHECK(thrown([&] { return ipam.object_lists("ranges"); }) ==
          R"(999 key "ipam.ranges[1]" is a number (5): must be a list of objects)");
}

TEST_CASE("what Go encodes again may have whole numbers with a point or an exponent, at every level") {
    const Object given = Object::parse(R"({"a":2.0,"b":[{"c":{"d":-1e3}}],"half":0.5,"most":9007199254740992.0,
        "more":9007199254740994.0,"whole":9223372036854775807,"text":"2.0"})");
    CHECK(!thrown([&] { (void)given.number("a", 0, 0, 9); }).empty());
    const Object again = given.reencoded();
    CHECK(again.number("a", 0, 0, 9) == 2);
    CHECK(again.objects("b").at(0).object("c")->number("d", 0, -1000, 0) == -1000);
    CHECK(again.number("most", 0, INT64_MIN, INT64_MAX) == 9007199254740992);
    CHECK(again.number("whole", 0, INT64_MIN, INT64_MAX) == INT64_MAX);
    for (const std::string key : {"half", "more", "text"})
        CHECK(thrown([&] { (void)again.number(key, 0, INT64_MIN, INT64_MAX); }).ends_with("must be an integer"));
    CHECK(thrown([&] { (void)again.number("a", 0, 3, 9); }) ==
          R"(999 key "a" is a number (2.0): must be an integer from 3 to 9)");
}

TEST_CASE("paths lead through objects and lists") {
    const Object config = Object::parse(R"({"ipam": {"ranges": [[{"subnet": "x"}], [{"subnet": "a"}, null]]}})");
    const auto ranges = config.object("ipam")->object_lists("ranges");
    REQUIRE(ranges.size() == 2);
    REQUIRE(ranges[1].size() == 2);
    CHECK(ranges[0][0].path("subnet") == "ipam.ranges[0][0].subnet");
    CHECK(ranges[1][1].text("subnet", "none") == "none");
    CHECK(thrown([&]() -> int { ranges[1][0].refuse("subnet", "must be a subnet"); }) ==
          R"(999 key "ipam.ranges[1][0].subnet" is a string ("a"): must be a subnet)");
    CHECK(thrown([&]() -> int { ranges[1][1].refuse("subnet", "must be given"); }) ==
          R"(999 key "ipam.ranges[1][1].subnet" is missing: must be given)");
}

TEST_CASE("wrong JSON is told with line and column") {
    CHECK(parse_failure("") == "6 unexpected end of JSON input");
    CHECK(parse_failure(" \n ") == "6 unexpected end of JSON input");
    CHECK(parse_failure("{") == "6 unexpected end of JSON input at line 1 column 2");
    CHECK(parse_failure("{\n  \"a\": tru\n}") ==
          "6 syntax error while parsing value - invalid literal; last read: '\"a\": tru<U+000A>' at line 2 column 11");
    CHECK(parse_failure("{} x").find("at line 1 column 4") != std::string::npos);
    CHECK(parse_failure("{\"a\":1,}").find("at line 1 column 8") != std::string::npos);
    CHECK(parse_failure("{\"a\":1e999}").starts_with("6 number overflow parsing '1e999' at line 1"));
    // nlohmann took the first two for good: it skips a mark, and ends at a NUL byte.
    CHECK(parse_failure("\xef\xbb\xbf{}") ==
          "6 invalid character U+FEFF (byte order mark) looking for beginning of value at line 1 column 1");
    CHECK(parse_failure(std::string("{}\0{", 4)) == "6 a NUL byte outside of a string at line 1 column 3");
    CHECK(parse_failure(std::string("\0{}", 3)) == "6 a NUL byte outside of a string at line 1 column 1");
    CHECK(parse_failure("[]") == "6 the document is a list: must be an object");
    CHECK(parse_failure("\"text\"") == "6 the document is a string (\"text\"): must be an object");
    CHECK(parse_failure("null") == "nothing");
    CHECK(Object::parse("null").keys().empty());
    CHECK(parse_failure("{\"" + std::string(100000, 'x')).size() < 300);
}

TEST_CASE("input is bounded in size and depth") {
    const std::string deep = R"({"a":)" + repeated("[", 63) + repeated("]", 63) + "}";
    CHECK(parse_failure(deep) == "nothing");
    CHECK(parse_failure(R"({"a":)" + repeated("[", 64) + repeated("]", 64) + "}") ==
          "6 more than 64 levels of nesting at line 1 column 69");
    CHECK(parse_failure(repeated("[", 1000000)) == "6 more than 64 levels of nesting at line 1 column 65");
    CHECK(parse_failure(repeated(R"({"a":)", 700000)) == "6 more than 64 levels of nesting at line 1 column 321");
    CHECK(parse_failure(R"({"a":"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})") ==
          "nothing");
    CHECK(parse_failure("{\"a\":\"" + std::string(std::size_t{10} << 20, 'x') + "\"}") ==
          "6 input is larger than 4194304 bytes");
    CHECK(parse_failure("{\"a\":\"" + std::string((std::size_t{4} << 20) - 8, 'x') + "\"}") == "nothing");
}

TEST_CASE("three hundred thousand keys take no longer than reading them") {
    std::string json = "{";
    for (int i = 0; i < 300000; ++i)
        json += "\"" + std::to_string(i) + "\":1,";
    json += "\"z\":2}";
    CHECK(Object::parse(json).number("Z", 0, 0, 9) == 2);
}

TEST_CASE("invalid UTF-8 becomes U+FFFD") {
    CHECK(Object::parse("{\"a\":\"x\xff\xc0\x80\xed\xa0\x80y\"}").text("a") ==
          "x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy");
    CHECK(Object::parse("{\"a\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}").text("a") ==
          "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK(Object::parse(R"({"a":"\u00e4\ud83d\ude00"})").text("a") == "\xc3\xa4\xf0\x9f\x98\x80");
}

TEST_CASE("half of a surrogate pair becomes U+FFFD") {
    const std::string lost = "\xef\xbf\xbd";
    CHECK(Object::parse(R"({"a":"\ud800"})").text("a") == lost);
    CHECK(Object::parse(R"({"a":"\udc00x"})").text("a") == lost + "x");
    CHECK(Object::parse(R"({"a":"\uD83D\u0041"})").text("a") == lost + "A");
    CHECK(Object::parse(R"({"a":"\ud83d\ud83d\ude00"})").text("a") == lost + "\xf0\x9f\x98\x80");
    CHECK(Object::parse(R"({"a":"\\ud800"})").text("a") == R"(\ud800)");
    CHECK(parse_failure(R"({"a":"\ud8)").starts_with("6 "));
    CHECK(parse_failure(R"({"a":"\ud8zz"})").starts_with("6 "));
}

TEST_CASE("a value is dumped as compact JSON") {
    const Object config = Object::parse(R"({"a": {"b": [1, -2, 1.50, true, null, "q\"\u0001\n<"], "c": {}}})");
    CHECK(config.dump("a") == R"({"b":[1,-2,1.50,true,null,"q\"\u0001\n<"],"c":{}})");
    CHECK(config.dump("absent") == "null");
}

TEST_CASE("the nearest known key is found") {
    const std::vector<std::string> known{"isGateway", "isDefaultGateway", "mtu", "bridge", "hairpinMode"};
    CHECK(cni::nearest("isGatway", known) == "isGateway");
    CHECK(cni::nearest("IsGatewya", known) == "isGateway");
    CHECK(cni::nearest("isDefaultGatway", known) == "isDefaultGateway");
    CHECK(cni::nearest("mut", known) == "mtu");
    CHECK(cni::nearest("brigde", known) == "bridge");
    CHECK(!cni::nearest("subnet", known));
    CHECK(!cni::nearest("", known));
    CHECK(!cni::nearest("ip", known));
    CHECK(!cni::nearest(std::string(4000000, 'x'), known));
}

TEST_SUITE_END();
