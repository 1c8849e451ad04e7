// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "../../plugins/meta/portmap/conditions.h"
#include "../../plugins/meta/portmap/config.h"
#include "../../plugins/meta/portmap/elements.h"
#include "../../plugins/meta/portmap/home.h"
#include "../../plugins/meta/portmap/rules.h"
#include "cni/error.h"
#include "os/text.h"

namespace {

using inet::Family;

cni::Invocation call_with(std::string_view config) {
    cni::Invocation call;
    call.command = "ADD";
    call.container_id = "c1";
    call.ifname = "eth0";
    call.network = "net";
    call.version = "1.1.0";
    call.config = cni::Object::parse(config);
    return call;
}

std::string with_mappings(std::string_view mappings) {
    return os::cat(R"({"runtimeConfig":{"portMappings":[)", mappings, "]}}");
}

std::string refusal(std::string_view config) {
    try {
        (void)portmap::parse(call_with(config));
    } catch (const cni::Error& error) {
        CHECK(error.code() == cni::Code::plugin);
        return error.message();
    }
    return "accepted";
}

std::string conditions(Family family, std::vector<std::string> tokens) {
    try {
        return text(portmap::parse_conditions(family == Family::v4 ? "conditionsV4" : "conditionsV6", family, tokens));
    } catch (const cni::Error& error) {
        return error.message();
    }
}

std::string words(Family family, std::string_view line) {
    std::vector<std::string> tokens;
    for (const auto word : os::split(line, ' '))
        tokens.emplace_back(word);
    return conditions(family, tokens);
}

portmap::Targets targets(std::string_view v4, std::string_view v6) {
    return {.v4 = inet::Prefix::parse(v4), .v6 = inet::Prefix::parse(v6)};
}

// One element a line: set, key and data as the kernel has them.
std::string elements(std::string_view config, const portmap::Targets& to) {
    std::string lines;
    for (const nft::Element& element : portmap::elements(portmap::parse(call_with(config)), to, "net/c1/eth0")) {
        CHECK(element.owner == "net/c1/eth0");
        lines += os::cat(element.set, " ", os::hex(element.key), element.key_end.empty() ? "" : "-",
                         os::hex(element.key_end), element.data.empty() ? "" : " ", os::hex(element.data),
                         element.jump.empty() ? "" : " ", element.jump, "\n");
    }
    return lines;
}

} // namespace

TEST_CASE("portmap config: defaults are the Go suite's") {
    const portmap::Config config = portmap::parse(call_with("{}"));
    CHECK(config.snat);
    CHECK_FALSE(config.masq_all);
    CHECK(config.conditions_v4.empty());
    CHECK(config.mappings.empty());
    CHECK_FALSE(config.prev_result);
}

TEST_CASE("portmap config: mappings are read whatever the letter case of keys and protocol") {
    const portmap::Config config = portmap::parse(call_with(with_mappings(R"(
        {"HostPort":8080,"ContainerPort":80,"Protocol":"TCP","HostIP":""},
        {"hostPort":53,"containerPort":53,"protocol":"udp","hostIP":"192.0.2.1"},
        {"hostPort":65535,"containerPort":1,"protocol":"SCTP","hostIP":"::"})")));
    REQUIRE(config.mappings.size() == 3);
    CHECK(config.mappings[0].host_port == 8080);
    CHECK(config.mappings[0].container_port == 80);
    CHECK(config.mappings[0].protocol == portmap::Protocol::tcp);
    CHECK(config.mappings[0].applies_to(Family::v4));
    CHECK(config.mappings[0].applies_to(Family::v6));
    CHECK_FALSE(config.mappings[0].bound_to());
    CHECK(config.mappings[1].applies_to(Family::v4));
    CHECK_FALSE(config.mappings[1].applies_to(Family::v6));
    CHECK(config.mappings[1].bound_to() == inet::Address::parse("192.0.2.1"));
    CHECK(config.mappings[2].protocol == portmap::Protocol::sctp);
    CHECK_FALSE(config.mappings[2].applies_to(Family::v4));
    CHECK(config.mappings[2].applies_to(Family::v6));
    CHECK_FALSE(config.mappings[2].bound_to());
}

TEST_CASE("portmap config: ports out of range are refused, the container's first") {
    CHECK(refusal(with_mappings(R"({"hostPort":0,"containerPort":0,"protocol":"tcp"})")) ==
          "Invalid container port number: 0");
    CHECK(refusal(with_mappings(R"({"hostPort":-1,"containerPort":80,"protocol":"tcp"})")) ==
          "Invalid host port number: -1");
    CHECK(refusal(with_mappings(R"({"hostPort":70000,"containerPort":80,"protocol":"tcp"})")) ==
          R"(key "runtimeConfig.portMappings[0].hostPort" is a number (70000): must be an integer from 1 to 65535)");
    CHECK(
        refusal(with_mappings(R"({"hostPort":80,"containerPort":65536,"protocol":"tcp"})")) ==
        R"(key "runtimeConfig.portMappings[0].containerPort" is a number (65536): must be an integer from 1 to 65535)");
}

TEST_CASE("portmap config: a wrong type is named by its key path") {
    CHECK(refusal(with_mappings(R"({"hostPort":"http","containerPort":80,"protocol":"tcp"})"))
              .starts_with("failed to parse network configuration: key \"runtimeConfig.portMappings[0].hostPort\""));
    CHECK(refusal(R"({"snat":1})").starts_with("failed to parse network configuration: key \"snat\""));
}

TEST_CASE("portmap config: protocol and hostIP") {
    CHECK(refusal(with_mappings(R"({"hostPort":80,"containerPort":80,"protocol":"icmp"})")) ==
          R"(key "runtimeConfig.portMappings[0].protocol" is a string ("icmp"): must be tcp, udp or sctp)");
    CHECK(
        refusal(with_mappings(R"({"hostPort":80,"containerPort":80,"protocol":"tcp","hostIP":"host"})")) ==
        R"(key "runtimeConfig.portMappings[0].hostIP" is a string ("host"): must be an IPv4 or IPv6 address, or empty for )"
        "every address of this host");
}

TEST_CASE("portmap config: one host port leads to one container port") {
    CHECK(refusal(with_mappings(R"({"hostPort":80,"containerPort":1,"protocol":"tcp"},
                                   {"hostPort":80,"containerPort":2,"protocol":"tcp","hostIP":"0.0.0.0"})")) ==
          "host port 80/tcp is mapped twice, to container ports 1 and 2: remove one of runtimeConfig.portMappings");
    CHECK(refusal(with_mappings(R"({"hostPort":80,"containerPort":1,"protocol":"tcp"},
                                   {"hostPort":80,"containerPort":1,"protocol":"tcp"},
                                   {"hostPort":80,"containerPort":2,"protocol":"udp"},
                                   {"hostPort":80,"containerPort":3,"protocol":"tcp","hostIP":"192.0.2.1"},
                                   {"hostPort":80,"containerPort":4,"protocol":"tcp","hostIP":"192.0.2.2"})")) ==
          "accepted");
    CHECK(refusal(with_mappings(R"({"hostPort":80,"containerPort":1,"protocol":"tcp","hostIP":"0.0.0.0"},
                                   {"hostPort":80,"containerPort":2,"protocol":"tcp","hostIP":"::"})")) == "accepted");
}

TEST_CASE("portmap config: marks") {
    CHECK(refusal(R"({"markMasqBit":32})") == "MasqMarkBit must be between 0 and 31");
    CHECK(refusal(R"({"markMasqBit":-1})") == "MasqMarkBit must be between 0 and 31");
    CHECK(refusal(R"({"markMasqBit":31})") == "accepted");
    CHECK(refusal(R"({"externalSetMarkChain":"X"})") == "accepted");
    CHECK(refusal(R"({"markMasqBit":99,"externalSetMarkChain":"X"})") ==
          "Cannot specify externalSetMarkChain and markMasqBit");
}

TEST_CASE("portmap config: backend and options of the other one") {
    CHECK(refusal(R"({"backend":"nftables"})") == "accepted");
    CHECK(refusal(R"({"backend":"iptables"})") == "accepted");
    CHECK(refusal(R"({"backend":null})") == "accepted");
    CHECK(refusal(R"({"backend":"pf"})") == R"(unrecognized backend "pf")");
    CHECK(refusal(R"({"backend":""})") == R"(unrecognized backend "")");
    CHECK(refusal(R"({"backend":"iptables","conditionsV4":["ip saddr 10.0.0.1"],"conditionsV6":["mark 1"]})") ==
          "iptables backend was requested but configuration contains nftables-specific options "
          "[conditionsV4 conditionsV6]");
    CHECK(refusal(R"({"backend":"nftables","externalSetMarkChain":"X","conditionsV4":["-s","10.0.0.1"],
                      "conditionsV6":["!","-s","::1"]})") ==
          "nftables backend was requested but configuration contains iptables-specific options "
          "[externalSetMarkChain conditionsV4 conditionsV6]");
    CHECK(refusal(R"({"backend":"pf","conditionsV4":["-s","10.0.0.1"]})") ==
          "pf backend was requested but configuration contains iptables-specific options [conditionsV4]");
    CHECK(refusal(R"({"conditionsV4":["-s","10.0.0.1"],"conditionsV6":["mark 1"]})") ==
          "iptables backend was requested but configuration contains nftables-specific options [conditionsV6]");
    CHECK(refusal(R"({"conditionsV4":["ip saddr 10.0.0.1"]})") == "accepted");
    CHECK(refusal(R"({"backend":"nftables","conditionsV4":[""],"conditionsV6":[]})") == "accepted");
}

TEST_CASE("portmap config: a broken prevResult has the Go suite's prefix, twice") {
    CHECK(refusal(R"({"prevResult":{"cniVersion":"0.3.0"}})")
              .starts_with("could not parse prevResult: could not parse prevResult: "));
}

TEST_CASE("portmap config: DEL reads the mappings of a config that ADD would refuse") {
    const auto config = portmap::parse_leniently(call_with(
        R"({"backend":"pf","snat":7,"runtimeConfig":{"portMappings":[{"hostPort":1,"containerPort":1,"protocol":"udp"}]}})"));
    REQUIRE(config);
    CHECK(config->mappings.size() == 1);
    CHECK_FALSE(portmap::parse_leniently(call_with(R"({"runtimeConfig":3})")));
    CHECK_FALSE(portmap::parse_leniently(call_with(with_mappings(R"({"hostPort":"x"})"))));
    CHECK_FALSE(portmap::parse_leniently(call_with(R"({"conditionsV4":["what","is","this"]})")));
}

TEST_CASE("portmap: the container's first address of each family is mapped to") {
    const auto targets = [](std::string_view result) {
        const auto config = portmap::parse(call_with(os::cat(R"({"prevResult":)", result, "}")));
        const auto found = portmap::container_addresses(*config.prev_result, "eth0");
        return os::cat(found.v4 ? found.v4->text() : "-", " ", found.v6 ? found.v6->text() : "-");
    };
    constexpr std::string_view interfaces =
        R"("cniVersion":"1.1.0","interfaces":[{"name":"cni0"},{"name":"eth0","sandbox":"/ns"},{"name":"eth0"}],)";
    const auto ips = [&](std::string_view list) { return os::cat("{", interfaces, R"("ips":[)", list, "]}"); };
    CHECK(targets(ips(R"({"interface":0,"address":"10.0.0.1/24"},{"interface":1,"address":"10.0.0.2/24"},
                         {"interface":1,"address":"10.0.0.3/24"},{"interface":1,"address":"fd00::2/64"})")) ==
          "10.0.0.2/24 fd00::2/64");
    // An interface without sandbox is the host's, whatever its name.
    CHECK(targets(ips(R"({"interface":2,"address":"10.0.0.2/24"})")) == "- -");
    // No index, or one that points nowhere, is taken for the container's.
    CHECK(targets(ips(R"({"address":"10.0.0.4/24"},{"interface":9,"address":"fd00::4/64"})")) ==
          "10.0.0.4/24 fd00::4/64");
    CHECK(targets(ips(R"({"interface":-1,"address":"10.0.0.5/24"})")) == "10.0.0.5/24 -");
}

TEST_CASE("portmap conditions: iptables arguments") {
    const auto v4 = [](std::string_view line) { return words(Family::v4, line); };
    CHECK(v4("-s 192.0.2.0/24") == "ip saddr 192.0.2.0/24\n");
    CHECK(v4("! -s 192.0.2.7/255.255.255.0 -d 192.0.2.1") == "ip saddr != 192.0.2.0/24 ip daddr 192.0.2.1\n");
    CHECK(v4("--source=10.0.0.1,10.0.0.2") == "ip saddr 10.0.0.1\nip saddr 10.0.0.2\n");
    CHECK(v4("! -s 10.0.0.1,10.0.0.2") == "ip saddr != 10.0.0.1 ip saddr != 10.0.0.2\n");
    CHECK(v4("-m iprange ! --src-range 10.0.0.1-10.0.0.9") == "ip saddr != 10.0.0.1-10.0.0.9\n");
    CHECK(v4("-i eth+ ! -o lo") == "iifname \"eth*\" oifname != \"lo\"\n");
    CHECK(v4("-i \u00e9t0") == "iifname \"\u00e9t0\"\n"); // bytes above 0x7f were taken for control bytes
    CHECK(v4("-m mark --mark 0x10/0xff") == "meta mark & 0xff 0x10\n");
    CHECK(v4("-m mark ! --mark 010") == "meta mark != 0x8\n");
    CHECK(v4("-p tcp -m multiport --sports 80,1024:,:7") ==
          "meta l4proto 6 th sport 80\nmeta l4proto 6 th sport 1024-65535\nmeta l4proto 6 th sport 0-7\n");
    CHECK(v4("! -p UDP --dport 80:90") == "meta l4proto != 17 th dport 80-90\n");
    CHECK(v4("-p all -m addrtype --dst-type LOCAL") == "");
    CHECK(conditions(Family::v4, {"-m", "comment", "--comment", "two words", "-s", "10.0.0.1"}) ==
          "ip saddr 10.0.0.1\n");
    CHECK(words(Family::v6, "-s 2001:db8::1/64 ! -d fd00::/ffff::") ==
          "ip6 saddr 2001:db8::/64 ip6 daddr != fd00::/16\n");
}

TEST_CASE("portmap conditions: nft match text") {
    const auto v4 = [](std::string_view line) { return conditions(Family::v4, {std::string(line)}); };
    CHECK(v4("ip saddr 10.0.0.0/8") == "ip saddr 10.0.0.0/8\n");
    CHECK(v4("ip saddr != 10.0.0.0/8 ip daddr==192.0.2.1") == "ip saddr != 10.0.0.0/8 ip daddr 192.0.2.1\n");
    CHECK(v4("ip saddr 10.0.0.1-10.0.0.9") == "ip saddr 10.0.0.1-10.0.0.9\n");
    CHECK(v4("ip saddr {10.0.0.1,10.0.0.2} th dport { 80, 90-99 }") ==
          "ip saddr 10.0.0.1 th dport 80\nip saddr 10.0.0.1 th dport 90-99\n"
          "ip saddr 10.0.0.2 th dport 80\nip saddr 10.0.0.2 th dport 90-99\n");
    CHECK(v4("ip saddr != { 10.0.0.1, 10.0.0.2 }") == "ip saddr != 10.0.0.1 ip saddr != 10.0.0.2\n");
    CHECK(v4("iifname \"eth*\" meta oifname != lo") == "iifname \"eth*\" oifname != \"lo\"\n");
    CHECK(v4("mark 0x1 meta mark and 0xf0 != 16") == "meta mark 0x1 meta mark & 0xf0 != 0x10\n");
    CHECK(v4("tcp dport 80-90 udp sport != 53") == "meta l4proto 6 th dport 80-90 meta l4proto 17 th sport != 53\n");
    CHECK(v4("meta l4proto { tcp, udp }") == "meta l4proto 6\nmeta l4proto 17\n");
    CHECK(v4("ip protocol sctp") == "meta l4proto 132\n");
    // One word a token, as the Go suite's own tests have it, is the same.
    CHECK(words(Family::v6, "ip6 saddr fd00::/8") == "ip6 saddr fd00::/8\n");
    // The same meaning has the same text in both languages: it names the chain.
    CHECK(v4("ip saddr != 10.0.0.0/8") == words(Family::v4, "! -s 10.0.0.0/8"));
}

TEST_CASE("portmap conditions: what is not understood is named") {
    const auto v4 = [](std::string_view line) { return words(Family::v4, line); };
    constexpr std::string_view unsupported =
        "not supported; supported are addresses, interfaces, ports, protocols and marks";
    CHECK(v4("-m conntrack --ctstate NEW") == os::cat("conditionsV4: \"-m conntrack\": ", unsupported));
    CHECK(v4("--ctstate NEW") == os::cat("conditionsV4: \"--ctstate\": ", unsupported));
    CHECK(v4("ct state new") == os::cat("conditionsV4: \"ct\": ", unsupported));
    CHECK(v4("meta skuid 0") == os::cat("conditionsV4: \"meta skuid\": ", unsupported));
    CHECK(v4("tcp flags syn") == os::cat("conditionsV4: \"tcp flags\": ", unsupported));
    CHECK(v4("ip saddr 10.0.0.1 counter") == os::cat("conditionsV4: \"counter\": ", unsupported));
    CHECK(v4("-j ACCEPT") == os::cat("conditionsV4: \"-j\": ", unsupported));
    CHECK(v4("iif eth0") == "conditionsV4: \"iif\": not supported; use iifname");
    CHECK(v4("-s 10.0.0.300") == "conditionsV4: \"10.0.0.300\": not an IPv4 address, prefix or range");
    CHECK(v4("-s fd00::1") == "conditionsV4: \"fd00::1\": not an IPv4 address, prefix or range");
    CHECK(v4("-s 10.0.0.1/255.0.255.0") ==
          "conditionsV4: \"10.0.0.1/255.0.255.0\": not an IPv4 address, prefix or range");
    CHECK(v4("ip6 saddr fd00::1") == "conditionsV4: \"ip6 saddr\": never true here: this list is for IPv4");
    CHECK(words(Family::v6, "ip saddr 10.0.0.1") ==
          "conditionsV6: \"ip saddr\": never true here: this list is for IPv6");
    CHECK(v4("ip saddr @blocked") == "conditionsV4: \"@blocked\": not an IPv4 address, prefix or range");
    CHECK(v4("-s") == "conditionsV4: \"-s\": needs a value");
    CHECK(v4("-s 10.0.0.1 !") == "conditionsV4: \"!\": needs a value");
    CHECK(v4("ip saddr") == "conditionsV4: \"ip saddr\": needs a value");
    CHECK(v4("ip saddr { 10.0.0.1") == "conditionsV4: \"{\": has no \"}\" after its values");
    CHECK(v4("tcp dport http") == "conditionsV4: \"http\": not a port from 0 to 65535 or a range a-b of them");
    CHECK(v4("--dport 90:80") == "conditionsV4: \"90:80\": not a port from 0 to 65535 or a range a:b of them");
    CHECK(v4("-i eth0/1") == "conditionsV4: \"eth0/1\": not an interface name");
    CHECK(v4("-p icmpx") == "conditionsV4: \"icmpx\": not a protocol: tcp, udp, sctp or a number");
    CHECK(v4("mark 0x100000000") == "conditionsV4: \"0x100000000\": not a number of 32 bits");
}

TEST_CASE("portmap elements: a mapping is an element of each family that the container has") {
    const std::string config = with_mappings(R"({"hostPort":8080,"containerPort":80,"protocol":"tcp"})");
    CHECK(elements(config, targets("10.0.0.2/24", "fd00::2/64")) ==
          "hostports4 060000001f900000 0a00000200500000\n"
          "hairpin4 0a000002\n"
          "hostports6 060000001f900000 fd00000000000000000000000000000200500000\n"
          "hairpin6 fd000000000000000000000000000002\n");
    CHECK(elements(config, targets("", "fd00::2/64")) ==
          "hostports6 060000001f900000 fd00000000000000000000000000000200500000\n"
          "hairpin6 fd000000000000000000000000000002\n");
    CHECK(elements(config, {}) == "");
}

TEST_CASE("portmap elements: hostIP has maps of its own, wildcards and repetitions have not") {
    CHECK(elements(R"({"snat":false,"runtimeConfig":{"portMappings":[
                       {"hostPort":53,"containerPort":53,"protocol":"udp","hostIP":"192.0.2.1"},
                       {"hostPort":53,"containerPort":53,"protocol":"udp","hostIP":"0.0.0.0"},
                       {"hostPort":53,"containerPort":53,"protocol":"UDP"}]}})",
                   targets("10.0.0.2/24", "")) == "hostip_hostports4 c00002011100000000350000 0a00000200350000\n"
                                                  "hostports4 1100000000350000 0a00000200350000\n");
}

TEST_CASE("portmap elements: masqAll has a set of its own") {
    CHECK(elements(R"({"masqAll":true,"runtimeConfig":{"portMappings":[
                       {"hostPort":1,"containerPort":2,"protocol":"sctp"}]}})",
                   targets("10.0.0.2/24", "")) == "hostports4 8400000000010000 0a00000200020000\nmasq_all4 0a000002\n");
}

TEST_CASE(
    "portmap elements: conditions stand beside the mapping, and are a chain that accepts what does not meet them") {
    constexpr std::string_view config = R"({"snat":false,"conditionsV4":["!","-s","192.0.2.0/24","-i","eth+"],
        "runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}})";
    const auto chains = portmap::condition_chains(portmap::parse(call_with(config)));
    REQUIRE(chains.size() == 1);
    CHECK(chains[0].text() ==
          os::cat("chain ", chains[0].name, " {\n\tip saddr != 192.0.2.0/24 iifname \"eth*\" return\n\taccept\n}\n"));
    CHECK(elements(config, targets("10.0.0.2/24", "")) ==
          os::cat("hostports4 060000001f900000 0a00000200500000\nconditions4 060000001f900000 ", chains[0].name, "\n"));
}

TEST_CASE("portmap elements: DEL asks for all that an ADD may have made") {
    const auto sets = [](std::string_view conditions, const portmap::Targets& to) {
        const auto config = portmap::parse(call_with(os::cat("{", conditions, R"("runtimeConfig":{"portMappings":[
            {"hostPort":8080,"containerPort":80,"protocol":"tcp"},
            {"hostPort":53,"containerPort":53,"protocol":"udp","hostIP":"fd00::1"}]}})")));
        std::string names;
        for (const nft::Element& key : portmap::possible_keys(config, to))
            names += os::cat(key.set, " ");
        return names;
    };
    CHECK(sets("", targets("10.0.0.2/24", "")) == "hostports4 hairpin4 masq_all4 ");
    CHECK(sets(R"("conditionsV4":["-i","eth0"],)", targets("10.0.0.2/24", "fd00::2/64")) ==
          "hostports4 conditions4 hairpin4 masq_all4 hostports6 hostip_hostports6 hairpin6 masq_all6 ");
}

TEST_CASE("portmap elements: a range is one interval, with the address alone") {
    CHECK(elements(R"({"runtimeConfig":{"portMappings":[
                       {"hostPort":8000,"hostPortEnd":8010,"containerPort":8000,"protocol":"tcp"},
                       {"hostPort":9000,"hostPortEnd":9001,"containerPort":9000,"containerPortEnd":9001,
                        "protocol":"udp","hostIP":"192.0.2.1"}]}})",
                   targets("10.0.0.2/24", "")) == "hostranges4 060000001f400000-060000001f4a0000 0a000002\n"
                                                  "hostip_hostranges4 "
                                                  "c00002011100000023280000-c00002011100000023290000 0a000002\n"
                                                  "hairpin4 0a000002\n");
    // One port is no range.
    CHECK(elements(R"({"snat":false,"runtimeConfig":{"portMappings":[
                       {"hostPort":8080,"hostPortEnd":8080,"containerPort":80,"protocol":"tcp"}]}})",
                   targets("10.0.0.2/24", "")) == "hostports4 060000001f900000 0a00000200500000\n");
}

TEST_CASE("portmap config: a range that cannot be mapped is refused, and what to do is said") {
    const auto refused = [](std::string_view more, std::string_view key, std::string_view why) {
        const std::string text = refusal(with_mappings(os::cat(R"({"hostPort":8000,"protocol":"tcp",)", more, "}")));
        CHECK_MESSAGE(text.starts_with(os::cat("key \"runtimeConfig.portMappings[0].", key, "\" is ")), text);
        CHECK_MESSAGE(text.find(why) != std::string::npos, text);
    };
    refused(R"("containerPort":8000,"hostPortEnd":7999)", "hostPortEnd", "must not be below hostPort");
    refused(R"("containerPort":8000,"hostPortEnd":65536)", "hostPortEnd", "must be an integer from 1 to 65535");
    refused(R"("containerPort":80,"hostPortEnd":8010)", "containerPort",
            "must be 8000 like hostPort: a range has the same ports on both sides; list ports that change one by one");
    refused(R"("containerPort":8000,"hostPortEnd":8010,"containerPortEnd":8011)", "containerPortEnd", "must be 8010");
    refused(R"("containerPort":8000,"containerPortEnd":8010)", "containerPortEnd", "a range needs hostPortEnd too");
    CHECK(refusal(with_mappings(R"({"hostPort":80,"containerPort":80,"protocol":"tcp","hostPortEnd":"x"})")) ==
          "failed to parse network configuration: key \"runtimeConfig.portMappings[0].hostPortEnd\" is a string "
          "(\"x\"): must be an integer");
}

TEST_CASE("portmap config: mappings of one container do not overlap, but for repetitions") {
    const auto both = [](std::string_view one, std::string_view other) {
        return refusal(with_mappings(os::cat(one, ",", other)));
    };
    constexpr std::string_view range = R"({"hostPort":8000,"hostPortEnd":8010,"containerPort":8000,"protocol":"tcp"})";
    CHECK(both(range, range) == "accepted");
    CHECK(both(range, R"({"hostPort":8005,"containerPort":8005,"protocol":"tcp"})") ==
          "host ports 8000-8010 and 8005/tcp overlap: remove one of runtimeConfig.portMappings");
    CHECK(both(range, R"({"hostPort":8010,"hostPortEnd":8020,"containerPort":8010,"protocol":"tcp"})") ==
          "host ports 8000-8010 and 8010-8020/tcp overlap: remove one of runtimeConfig.portMappings");
    CHECK(both(range, R"({"hostPort":8005,"containerPort":8005,"protocol":"udp"})") == "accepted");
    CHECK(both(range, R"({"hostPort":8005,"containerPort":80,"protocol":"tcp","hostIP":"192.0.2.1"})") == "accepted");
    CHECK(both(range, R"({"hostPort":8011,"containerPort":80,"protocol":"tcp"})") == "accepted");
}

TEST_CASE("portmap elements: the record tells attachments and mappings apart, and nothing else") {
    const auto record = [](std::string_view mappings, const portmap::Targets& to, const std::string& owner) {
        const auto config = portmap::parse(call_with(with_mappings(mappings)));
        return portmap::record(config, to, owner);
    };
    constexpr std::string_view one = R"({"hostPort":8080,"containerPort":80,"protocol":"tcp"})";
    constexpr std::string_view moved = R"({"hostPort":8080,"containerPort":81,"protocol":"TCP"})";
    constexpr std::string_view other = R"({"hostPort":8081,"containerPort":80,"protocol":"tcp"})";
    const auto to = targets("10.0.0.2/24", "");
    const nft::Element first = record(one, to, "net/c1/eth0");
    CHECK(first.owner == "net/c1/eth0");
    CHECK(first.key.size() == 8);
    CHECK(record(other, to, "net/c1/eth0").key == first.key);
    CHECK(record(one, to, "net/c1/eth1").key != first.key);
    CHECK(record(moved, to, "net/c1/eth0").data == first.data); // the keys are the same
    CHECK(record(other, to, "net/c1/eth0").data != first.data);
    CHECK(record(os::cat(one, ",", other), to, "net/c1/eth0").data != first.data);
    CHECK(record(one, targets("10.0.0.3/24", ""), "net/c1/eth0").data != first.data);
    constexpr std::string_view ten = R"({"hostPort":8000,"hostPortEnd":8010,"containerPort":8000,"protocol":"tcp"})";
    constexpr std::string_view nine = R"({"hostPort":8000,"hostPortEnd":8009,"containerPort":8000,"protocol":"tcp"})";
    CHECK(record(ten, to, "net/c1/eth0").data != record(nine, to, "net/c1/eth0").data);
}

TEST_CASE("portmap home: deserted when its path leads elsewhere or nowhere, and in doubt not") {
    const std::string path = os::cat("/tmp/cnative-unit-home-", getpid());
    const auto put = [&] { std::ofstream(path) << "x"; };
    const auto is_deserted = [](std::string_view home) { return portmap::is_deserted(home, "/"); };
    put();
    const std::string home = portmap::home_at(path, std::nullopt);
    REQUIRE(home.ends_with(path));
    CHECK_FALSE(is_deserted(home));
    std::filesystem::rename(path, path + ".old");
    CHECK(is_deserted(home));
    put();
    CHECK(is_deserted(home)); // another one by now
    std::filesystem::remove(path);
    std::filesystem::rename(path + ".old", path);
    CHECK_FALSE(is_deserted(home));
    std::filesystem::remove(path);
    CHECK(is_deserted(home));
    std::string from_elsewhere = home;
    from_elsewhere[home.find(' ') + 1] = 'x'; // another mount namespace
    CHECK_FALSE(is_deserted(from_elsewhere));
    CHECK_FALSE(is_deserted(""));
    CHECK_FALSE(is_deserted("a b c"));
    const std::string own = portmap::home_at(os::cat("/proc/", getpid(), "/ns/net"), std::nullopt);
    REQUIRE_FALSE(own.empty());
    CHECK_FALSE(is_deserted(own.substr(0, own.rfind(' ')) + " /nowhere")); // a process lives in it
    for (const char* nobodys : {"/proc/self/ns/net", "/proc/thread-self/ns/net", "/dev/null", "ns/net", "/nowhere", ""})
        CHECK(portmap::home_at(nobodys, std::nullopt).empty());
}

TEST_CASE("portmap home: with a veth pair deserted when that is gone, unless the path leads there still") {
    const std::string path = os::cat("/tmp/cnative-unit-veth-", getpid()), other = path + ".other";
    std::ofstream(path) << "x";
    std::ofstream(other) << "x";
    constexpr netlink::Index lo{1}, nothing{2147483647};
    const std::string kept = portmap::home_at(path, lo), gone = portmap::home_at(path, nothing);
    REQUIRE(kept.ends_with(path + " 1"));
    CHECK_FALSE(portmap::is_deserted(kept, path));
    CHECK_FALSE(portmap::is_deserted(gone, other));
    CHECK(portmap::is_deserted(gone, path)); // who asks cannot have the namespace of another: the number is a new one's
    std::string gone_elsewhere = gone, kept_elsewhere = kept;
    gone_elsewhere[gone.find(' ') + 1] = kept_elsewhere[kept.find(' ') + 1] = 'x'; // another mount namespace
    CHECK(portmap::is_deserted(gone_elsewhere, other));
    CHECK_FALSE(portmap::is_deserted(kept_elsewhere, other));
    std::filesystem::remove(path);
    CHECK(portmap::is_deserted(gone, other));
    CHECK_FALSE(portmap::is_deserted(kept, other));
    for (const char* odd : {" 0", " -1", " 1x", " x", " 99999999999", " 1 1"})
        CHECK_FALSE(portmap::is_deserted(gone.substr(0, gone.rfind(' ')) + odd, other));
    std::filesystem::remove(other);
    const std::size_t around = portmap::home_at("/tmp", std::nullopt).size() - 4;
    const std::string longest = "/tmp" + std::string(120 - around - 4, '/');
    CHECK(portmap::home_at(longest, lo) == portmap::home_at(longest, std::nullopt)); // no room for more
    CHECK(portmap::home_at(longest, lo).size() == 120);
}

TEST_CASE("portmap elements: read back for messages") {
    const auto read = [](std::string_view mapping, const portmap::Targets& to) {
        const auto config = portmap::parse(call_with(with_mappings(mapping)));
        const auto mapped = portmap::read_mapped(portmap::elements(config, to, "o").front());
        return os::cat(mapped->host_side(), " ", mapped->container.text(), " ", mapped->container_port);
    };
    CHECK(read(R"({"hostPort":8080,"containerPort":80,"protocol":"tcp"})", targets("10.0.0.2/24", "")) ==
          "8080/tcp 10.0.0.2 80");
    CHECK(read(R"({"hostPort":53,"containerPort":54,"protocol":"udp","hostIP":"192.0.2.1"})",
               targets("10.0.0.2/24", "")) == "192.0.2.1:53/udp 10.0.0.2 54");
    CHECK(read(R"({"hostPort":53,"containerPort":54,"protocol":"sctp","hostIP":"2001:db8::1"})",
               targets("", "fd00::2/64")) == "[2001:db8::1]:53/sctp fd00::2 54");
    CHECK_FALSE(portmap::read_mapped(nft::Element{.set = "hairpin4"}));
    CHECK_FALSE(portmap::read_mapped(nft::Element{.set = "hostports4", .key = {1, 2}}));
    CHECK(portmap::read_owner("net/c1/eth0")->container_id == "c1");
    CHECK_FALSE(portmap::read_owner("#0123456789abcdef-0123456789abcdef"));
}

TEST_CASE("portmap rules: a subnet is masqueraded once, and not at all with snat off or masqAll") {
    const auto rules = [](std::string_view config) {
        return portmap::subnet_rules(portmap::parse(call_with(config)), targets("10.0.0.2/24", "fd00::2/64"));
    };
    REQUIRE(rules("{}").size() == 2);
    CHECK(rules("{}")[0].subnet.text() == "10.0.0.0/24");
    CHECK(rules("{}")[1].subnet.text() == "fd00::/64");
    CHECK(rules(R"({"snat":false})").empty());
    CHECK(rules(R"({"masqAll":true})").empty());
}

TEST_CASE("portmap rules: only traffic to this host is looked up, the mapping of a certain address first") {
    const std::string text = portmap::fragment().text();
    CHECK(text.find("chain hostports {\n"
                    "\tip daddr . meta l4proto . th dport vmap @hostip_conditions4\n"
                    "\tdnat ip to ip daddr . meta l4proto . th dport map @hostip_hostports4\n"
                    "\tip daddr . meta l4proto . th dport vmap @hostip_range_conditions4\n"
                    "\tdnat ip to ip daddr . meta l4proto . th dport map @hostip_hostranges4\n"
                    "\tmeta l4proto . th dport vmap @conditions4\n"
                    "\tdnat ip to meta l4proto . th dport map @hostports4\n"
                    "\tmeta l4proto . th dport vmap @range_conditions4\n"
                    "\tdnat ip to meta l4proto . th dport map @hostranges4\n") != std::string::npos);
    CHECK(text.find("chain hostports_prerouting {\n"
                    "\ttype nat hook 0 priority -100; policy accept;\n"
                    "\tip daddr 127.0.0.0/8 return\n"
                    "\tfib daddr type local jump hostports\n"
                    "}\n"
                    "chain hostports_output {\n"
                    "\ttype nat hook 3 priority -100; policy accept;\n"
                    "\tfib daddr type local jump hostports\n"
                    "}\n") != std::string::npos);
    CHECK(text.find("\tiifname @localnet ip saddr 127.0.0.0/8 drop\n"
                    "\tiifname @localnet ip daddr 127.0.0.0/8 drop\n") != std::string::npos);
}
