// SPDX-License-Identifier: Apache-2.0
// tuning: the allow list's patterns, what a key of `sysctl` means, the saved state, the config.
#include <doctest/doctest.h>

#include <string>

#include "config.h"
#include "link_state.h"
#include "pattern.h"
#include "sysctls.h"
#include "thrown.h"

using tuning::Pattern;

namespace {

bool found(const std::string& pattern, const std::string& text) {
    return Pattern(pattern).is_found_in(text);
}

cni::Invocation call_with(const std::string& json, const std::string& args = {}) {
    cni::Invocation call;
    call.config = cni::Object::parse(json);
    call.args = args;
    return call;
}

std::vector<std::string> paths(const std::string& key, const std::string& ifname = "eth0") {
    const std::vector<tuning::Sysctl> sysctls = {{key, "1"}};
    return tuning::targets(sysctls, ifname).front().paths;
}

using Paths = std::vector<std::string>;

} // namespace

TEST_CASE("tuning pattern: what matches, unanchored unless it says so") {
    struct {
        const char *pattern, *text;
    } const matching[] = {
        {"", ""},
        {"", "x"},
        {"core", "net.core.somaxconn"},
        {"^net.core", "net.core.somaxconn"},
        {"somaxconn$", "net.core.somaxconn"},
        {"^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$", "net.ipv4.conf.IFNAME.arp_filter"},
        {"^net.ipv4.tcp_(sack|syncookies|)$", "net.ipv4.tcp_"},
        {"a+b?c*", "xxab"},
        {"^a{2,3}$", "aaa"},
        {"^a{2}$", "aa"},
        {"^a{2,}$", "aaaaa"},
        {"^(ab){2}$", "abab"},
        {"^[^.]+\\.[[:alpha:]_]+$", "net.x_y"},
        {"^[]a-]+$", "]-a"},
        {"^[\\w.-]+\\d$", "net.ipv6-1"},
        {"\\bcore\\b", "net.core.x"},
        {"^(?:a|b)(?P<name>c)$", "bc"},
        {"^.*?x$", "aax"},
        {"(?i)^NET", "net.x"},
        {"^(?i:NeT)\\.x$", "nEt.x"},
        {"a{,2}", "a{,2}"},
        {"x|^$", ""},
        {"^(a*)*$", "aaaa"},
        {"\\Anet\\z", "net"},
        {"\\/\\.", "/."},
        {"^[[:^digit:]]$", "a"},
        {"^[[:^digit:]4]$", "4"},
    };
    for (const auto& [pattern, text] : matching) {
        CAPTURE(pattern);
        CAPTURE(text);
        CHECK(found(pattern, text));
    }
}

TEST_CASE("tuning pattern: what does not match") {
    struct {
        const char *pattern, *text;
    } const not_matching[] = {
        {"^core", "net.core"},
        {"core$", "net.core.x"},
        {"^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$", "net.ipv4.conf.eth0.arp_filter"},
        {"^net\\.ipv4$", "net-ipv4"},
        {"^a{2,3}$", "aaaa"},
        {"^a{2,3}$", "a"},
        {"^[^a-c]$", "b"},
        {"^\\d+$", "12a"},
        {"\\bore\\b", "net.core.x"},
        {"(?i:a)b", "AB"},
        {"^.$", "\n"},
        {"^(ab|cd)$", "abcd"},
        {"^a|b$", "xax"},
        {"$a", "a"},
        {"^[[:^digit:]]$", "4"},
        {"(?i)^[[:^upper:]]$", "a"},
    };
    for (const auto& [pattern, text] : not_matching) {
        CAPTURE(pattern);
        CAPTURE(text);
        CHECK_FALSE(found(pattern, text));
    }
}

TEST_CASE("tuning pattern: what is broken, or beyond us, is refused and never guessed at") {
    for (const std::string pattern : {"(",
                                      ")",
                                      "a)",
                                      "[",
                                      "[a",
                                      "[z-a]",
                                      "*",
                                      "+a",
                                      "a**",
                                      "a{3}{2}",
                                      "a{2,1}",
                                      "a{1001}",
                                      "\\",
                                      "\\p{L}",
                                      "\\1",
                                      "(?=a)",
                                      "(?s)a",
                                      "(?P<x",
                                      "[[:nonsense:]]",
                                      "\xc3\xa9",
                                      "((a{1000}){1000}){1000}"}) {
        CAPTURE(pattern);
        const std::string what = thrown([&] { return Pattern(pattern); });
        CHECK_MESSAGE(what.starts_with("999 error parsing regexp: "), what);
    }
    CHECK(thrown([] { return Pattern("(a"); }) == "999 error parsing regexp: missing closing ): `(a`");
    CHECK(thrown([] { return Pattern(std::string(5000, '(')); }).find("nests too deeply") != std::string::npos);
}

TEST_CASE("tuning pattern: a pattern that explodes elsewhere takes no longer than its text") {
    CHECK_FALSE(found("^(a|a|aa)*(a|a)*$", std::string(20000, 'a') + "b"));
    CHECK(found("(x+x+)+y", std::string(5000, 'x') + "y"));
    CHECK(found("((((){1000}){1000}){1000}){1000}x", "x"));
}

TEST_CASE("tuning: what a sysctl key means") {
    CHECK(paths("net.ipv4.ip_forward") == Paths{"ipv4/ip_forward"});
    CHECK(paths("net/ipv4/ip_forward") == Paths{"ipv4/ip_forward"});
    CHECK(paths("/net//ipv4..ip_forward/").front() == "ipv4/ip_forward");
    CHECK(paths("net.ipv4.conf.IFNAME.arp_filter") == Paths{"ipv4/conf/eth0/arp_filter"});
    CHECK(paths("net.ipv4.conf.IFNAME.arp_filter", "a.b") == Paths{"ipv4/conf/a.b/arp_filter"});
    CHECK(paths("net.IFNAME.IFNAME") == Paths{"eth0/IFNAME"}); // the first one only, as the Go suite
    CHECK(paths("net/ipv4/conf/eth0.1/arp_filter") ==
          Paths{"ipv4/conf/eth0/1/arp_filter", "ipv4/conf/eth0.1/arp_filter"});
    CHECK(paths("net.ipv4.conf.eth0/1.arp_filter") ==
          Paths{"ipv4/conf/eth0/1/arp_filter", "ipv4/conf/eth0.1/arp_filter"});
}

TEST_CASE("tuning: no key leads out of net") {
    for (const std::string key : {"", ".", "net", "net.", "net/", "kernel.x", "netx.y", "../net/x/..", "/", "IFNAME"}) {
        CAPTURE(key);
        const std::string what = thrown([&] { return paths(key); });
        if (key == "../net/x/..")
            CHECK(what == "nothing"); // dots are separators: /net/x
        else
            CHECK_MESSAGE(what.starts_with("999 invalid net sysctl key: "), what);
    }
    for (const std::string key : {"net/../../x", "net/ipv4/../../kernel/x", "net/./x", "net.ipv4/../x"}) {
        for (const std::string& path : paths(key)) {
            CAPTURE(path);
            CHECK(("/" + path + "/").find("/../") == std::string::npos);
            CHECK(("/" + path + "/").find("/./") == std::string::npos);
        }
    }
}

TEST_CASE("tuning: the saved state is written as the Go suite does, and read again") {
    tuning::LinkState state;
    CHECK(tuning::write(state) == "{}");
    state.mac = inet::Mac::parse("02:00:5e:10:00:01");
    state.promisc = false;
    state.mtu = 1500;
    state.allmulti = true;
    state.tx_queue_length = 0;
    const std::string text = "{\n \"mac\": \"02:00:5e:10:00:01\",\n \"promisc\": false,\n \"mtu\": 1500,\n"
                             " \"allmulti\": true,\n \"txQLen\": 0\n}";
    CHECK(tuning::write(state) == text);
    CHECK(tuning::read(text) == state);
    CHECK(tuning::read("{}") == tuning::LinkState{});
    for (const char* const broken :
         {"", "{", "[]", "{\"mtu\": -1}", "{\"mtu\": \"1\"}", "{\"mac\": \"x\"}", "{\"promisc\": 1}"})
        CHECK(!tuning::read(broken));
}

TEST_CASE("tuning: what is saved first counts") {
    const tuning::LinkState first{.mtu = 1500}, second{.promisc = true, .mtu = 1400};
    const tuning::LinkState both = tuning::merged(first, second);
    CHECK(both.mtu == 1500);
    CHECK(both.promisc == true);
}

TEST_CASE("tuning: wrong types are named, with the prefix of the Go suite") {
    const auto error = [](const std::string& json) { return thrown([&] { return tuning::parse(call_with(json)); }); };
    CHECK(error(R"({"mtu": "x"})") ==
          R"(999 failed to load netconf: key "mtu" is a string ("x"): must be an integer from 0 to 2147483647)");
    CHECK(error(R"({"args": {"cni": {"promisc": 1}}})") ==
          R"(999 failed to load netconf: key "args.cni.promisc" is a number (1): must be true or false)");
    CHECK(error(R"({"sysctl": {"net.a": 1}})") ==
          R"(999 failed to load netconf: key "sysctl.net.a" is a number (1): must be a string)");
    CHECK(error(R"({"sysctl": []})") == R"(999 key "sysctl" is a list: must be an object)");
    CHECK(error(R"({"sysctl": {"net.a": "1", "net.b": "1", "net.a": "1"}})") ==
          "999 duplicated sysctl keys are not allowed");
    CHECK(thrown([] { return tuning::parse(call_with("{}", "MAC=x;Y=z")); }) == "999 ARGS: unknown args [\"Y=z\"]");
}

TEST_CASE("tuning: keys that are not given change nothing") {
    const tuning::Config config = tuning::parse(call_with(R"({"mtu": 0, "promisc": false, "mac": ""})"));
    CHECK(config.link.empty());
    CHECK(config.sysctls.empty());
    CHECK(config.data_dir == "/run/cni/tuning");
}

TEST_CASE("tuning: an empty mac in args.cni takes the others back") {
    const tuning::Config config =
        tuning::parse(call_with(R"({"mac": "02:00:00:00:00:01", "args": {"cni": {"mac": ""}}})"));
    CHECK(config.link.empty());
}
