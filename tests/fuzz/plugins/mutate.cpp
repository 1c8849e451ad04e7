// SPDX-License-Identifier: Apache-2.0
#include "mutate.h"

namespace fuzz {

namespace {

json chained_result() {
    return {{"cniVersion", "1.0.0"},
            {"interfaces",
             {{{"name", "hostv"}, {"mac", "02:00:00:00:00:01"}},
              {{"name", "tun0"}, {"mac", "02:00:00:00:00:02"}, {"sandbox", "/run/netns/c1"}}}},
            {"ips",
             {{{"address", "10.7.0.2/24"}, {"gateway", "10.7.0.1"}, {"interface", 1}},
              {{"address", "fd07::2/64"}, {"interface", 1}}}},
            {"routes", {{{"dst", "0.0.0.0/0"}}}}};
}

json ipam() {
    return {{"type", "host-local"},
            {"ranges", {{{{"subnet", "10.7.0.0/24"}}}, {{{"subnet", "fd07::/64"}}}}},
            {"routes", {{{"dst", "0.0.0.0/0"}}}},
            {"dataDir", "/var/lib/cni/networks"}};
}

// One for each plugin, with most of its keys.
const std::vector<json>& sound_configs() {
    static const std::vector<json> configs{
        {{"type", "bridge"},
         {"bridge", "br0"},
         {"isGateway", true},
         {"ipMasq", true},
         {"mtu", 1400},
         {"enabledad", false},
         {"hairpinMode", true},
         {"ipam", ipam()},
         {"dns", {{"nameservers", {"10.7.0.1"}}}}},
        {{"type", "bridge"},
         {"bridge", "br1"},
         {"macspoofchk", true},
         {"promiscMode", false},
         {"portIsolation", false},
         {"runtimeConfig", {{"mac", "02:00:00:00:00:07"}}}},
        {{"type", "host-local"}, {"ipam", ipam()}, {"runtimeConfig", {{"ips", {"10.7.0.9"}}}}},
        {{"type", "portmap"},
         {"snat", true},
         {"masqAll", false},
         {"conditionsV4", {"-s", "10.0.0.0/8"}},
         {"conditionsV6", {"ip6", "saddr", "fd00::/8"}},
         {"prevResult", chained_result()},
         {"runtimeConfig",
          {{"portMappings",
            {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}},
             {{"hostPort", 53}, {"containerPort", 53}, {"protocol", "udp"}, {"hostIP", "127.0.0.1"}},
             {{"hostPort", 9000}, {"hostPortEnd", 9010}, {"containerPort", 9000}}}}}}},
        {{"type", "firewall"}, {"backend", "iptables"}, {"ingressPolicy", "open"}, {"prevResult", chained_result()}},
        {{"type", "tuning"},
         {"sysctl", {{"net.ipv4.conf.IFNAME.arp_filter", "1"}}},
         {"mtu", 1300},
         {"promisc", true},
         {"mac", "02:00:00:00:00:09"},
         {"prevResult", chained_result()}},
        {{"type", "bandwidth"},
         {"ingressRate", 1000000},
         {"ingressBurst", 1000000},
         {"egressRate", 1000000},
         {"egressBurst", 1000000},
         {"prevResult", chained_result()}},
        {{"type", "loopback"}, {"prevResult", chained_result()}},
    };
    return configs;
}

json odd_value(Random& random) {
    static const std::vector<json> values{nullptr,
                                          true,
                                          false,
                                          0,
                                          -1,
                                          1,
                                          65535,
                                          65536,
                                          4294967296,
                                          18446744073709551615U,
                                          1.5,
                                          1e300,
                                          "",
                                          "x",
                                          "../..",
                                          "/",
                                          "/run/x",
                                          "a\nb",
                                          "\xff\xfe",
                                          "eth0",
                                          "veth0",
                                          std::string(5000, 'a'),
                                          "0.0.0.0/0",
                                          "10.7.0.0/31",
                                          "::/0",
                                          "::ffff:1.2.3.4",
                                          "fd07::/127",
                                          "10.7.0.255",
                                          "1.1.1",
                                          "0.1.0",
                                          "1.1.0",
                                          "99.0.0",
                                          json::array(),
                                          json::object(),
                                          json::array({nullptr}),
                                          json::array({json::array()}),
                                          json::array({json::object()}),
                                          {{"subnet", "10.7.0.0/29"}},
                                          {{"dst", "x"}},
                                          {{"id", 4094}},
                                          {{"minID", 200}, {"maxID", 199}},
                                          json::array({{{"minID", 1}, {"maxID", 4094}}, {{"id", 100}}}),
                                          "isolated",
                                          "same-bridge",
                                          "firewalld",
                                          "nftables",
                                          "host-local",
                                          "!",
                                          "--dport",
                                          "{",
                                          "80-"};
    return one_of(random, values);
}

// Some value in the tree, whatever its depth.
json& some_value(Random& random, json& tree) {
    json* at = &tree;
    while (at->is_structured() && !at->empty()) {
        auto next = at->begin();
        std::advance(next, static_cast<long>(below(random, at->size())));
        at = &*next;
        if (once_in(random, 4))
            break;
    }
    return *at;
}

void change_value(Random& random, json& config) {
    static const std::vector<std::string> names{"ipam",          "ranges",     "mtu",           "vlan",
                                                "mac",           "args",       "runtimeConfig", "capabilities",
                                                "ips",           "dns",        "routes",        "prevResult",
                                                "dataDir",       "resolvConf", "ingressPolicy", "backend",
                                                "type",          "MTU",        "vlanTrunk",     "preserveDefaultVlan",
                                                "portIsolation", "?"};
    json& at = some_value(random, config);
    if (at.is_object() && once_in(random, 2))
        at[one_of(random, names)] = odd_value(random);
    else if (at.is_array() && once_in(random, 2))
        at.push_back(odd_value(random));
    else
        at = odd_value(random);
}

void change_bytes(Random& random, std::string& text) {
    if (text.empty())
        return;
    const std::size_t at = below(random, text.size()), size = 1 + below(random, 8);
    switch (below(random, 6)) {
    case 0:
        text[at] = static_cast<char>(random());
        break;
    case 1:
        text.erase(at, size);
        break;
    case 2:
        text.insert(at, text, below(random, text.size()), size);
        break;
    case 3:
        text.resize(at);
        break;
    case 4:
        text.insert(at, size, one_of<char>(random, {'{', '[', '"', '\\', '\0', '9', ','}));
        break;
    default:
        text += text.substr(at);
        break;
    }
}

void change_variable(Random& random, Input& input) {
    static const std::vector<std::string> values{"",
                                                 "x",
                                                 "../x",
                                                 "a/b",
                                                 "a b",
                                                 "\x01",
                                                 "lo",
                                                 "eth0:1",
                                                 "a;b=c",
                                                 "IP=1",
                                                 "IgnoreUnknown=1;A=b",
                                                 "/run/netns/nobody",
                                                 "/dev/zero",
                                                 std::string(20, 'i'),
                                                 std::string(300, 'n')};
    std::string* const variables[] = {&input.command, &input.id, &input.netns, &input.ifname, &input.args};
    *variables[below(random, std::size(variables))] = one_of(random, values);
}

} // namespace

Input make_input(Random& random) {
    json config = {{"cniVersion", "1.0.0"}, {"name", "net"}};
    config.update(one_of(random, sound_configs()));
    const std::string plugin = config["type"];
    const bool chained = config.contains("prevResult");
    static const std::vector<std::string> commands{"ADD", "ADD", "ADD",   "ADD", "ADD",    "ADD",
                                                   "DEL", "DEL", "CHECK", "GC",  "STATUS", "VERSION"};
    Input input{.plugin = plugin,
                .command = one_of(random, commands),
                .id = "c1",
                .netns = "/run/netns/c1",
                .ifname = chained && plugin != "loopback" ? "tun0"
                          : plugin == "loopback"          ? "lo"
                                                          : "eth0",
                .args = {},
                .config = {}};
    if (input.command == "GC" || input.command == "STATUS")
        config["cniVersion"] = "1.1.0";
    const std::size_t changes = below(random, 4);
    for (std::size_t i = 0; i < changes; ++i)
        change_value(random, config);
    input.config = config.dump(-1, ' ', false, json::error_handler_t::ignore);
    if (once_in(random, 4))
        change_bytes(random, input.config);
    if (once_in(random, 10))
        change_variable(random, input);
    return input;
}

} // namespace fuzz
