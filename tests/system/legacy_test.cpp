// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "invoke.h"
#include "world.h"

using namespace test;

// A host is moved from the Go suite to our plugins while containers run: their DEL is ours.
namespace {

// While it lives, calls run the Go suite's plugins.
class WithGo {
  public:
    WithGo() : ours_(bin_dir()) { setenv("CNI_BIN_DIR", go_dir().c_str(), 1); }
    WithGo(const WithGo&) = delete;
    WithGo& operator=(const WithGo&) = delete;
    ~WithGo() { setenv("CNI_BIN_DIR", ours_.c_str(), 1); }

  private:
    std::string ours_;
};

bool can_run_go() {
    return std::filesystem::exists(go_dir() + "/bridge") && works("iptables --version | grep -q nf_tables");
}

json mappings() {
    return {{"portMappings",
             {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}},
              {{"hostPort", 8053}, {"containerPort", 53}, {"protocol", "udp"}}}}};
}

json go_list() {
    json list = bridge_portmap_list();
    list["plugins"][0]["macspoofchk"] = true;
    return list;
}

// Without the counters, which move.
std::string rules() {
    return sh("nft list ruleset 2>/dev/null | sed -E 's/counter packets [0-9]+ bytes [0-9]+//'");
}

void add_by_go(Network& network, const std::string& id, const std::string& ifname = "eth0",
               const json& ports = mappings()) {
    const WithGo go;
    const Answer answer = network.add(id, ifname == "eth0" ? ports : json::object(), {}, ifname);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
}

// The Go suite's nftables backends are younger than Debian's package: what its source makes, for c1 and c2 on "net".
// The hashes are the first 16 digits of `printf net | sha512sum` and of "eth0:c1" and so on.
std::string h16(const std::string& text) {
    return sh("printf %s '" + text + "' | sha512sum | cut -c1-16 | tr -d '\\n'");
}

std::string masquerade_rule(const std::string& id, const std::string& ifname, const std::string& address) {
    return "    ip saddr " + address + " ip daddr != 10.9.0.0/24 masquerade comment \"" + h16("net") + "-" +
           h16(ifname + ":" + id) + ", net: net, if: " + ifname + ", id: " + id + "\"\n";
}

std::string hostport_table(const std::string& id) {
    return "    tcp dport 8080 dnat to 10.9.0.2:80 comment \"" + id + "\"\n";
}

void load(const std::string& ruleset) {
    std::ofstream("/run/go.nft") << ruleset;
    sh("nft -f /run/go.nft");
}

std::string go_nft_tables(const std::string& masquerade, const std::string& hostports, const std::string& hairpins) {
    return "table inet cni_plugins_masquerade {\n  chain masq_checks {\n" + masquerade +
           "  }\n  chain postrouting {\n    type nat hook postrouting priority 100;\n    ip daddr 224.0.0.0/4 return\n"
           "    goto masq_checks\n  }\n}\n"
           "table ip cni_hostport {\n  chain hostports {\n" +
           hostports +
           "  }\n  chain hostip_hostports {\n  }\n  chain hostports_all {\n    jump hostip_hostports\n    jump "
           "hostports\n  }\n"
           "  chain prerouting {\n    type nat hook prerouting priority -100;\n    fib daddr type local jump "
           "hostports_all\n  }\n"
           "  chain masquerading {\n    type nat hook postrouting priority 100;\n" +
           hairpins + "  }\n}\n";
}

} // namespace

TEST_CASE("legacy: DEL removes exactly what the Go suite made for this container with iptables") {
    World world;
    if (!can_run_go())
        SKIP_CASE("needs the Go suite and iptables-nft");
    world.netns("c1");
    world.netns("c2");
    Network network(go_list());
    add_by_go(network, "c2");
    const std::string before = rules();
    add_by_go(network, "c1");
    REQUIRE(rules().find("cni-br-iface-c1-eth0") != std::string::npos);
    REQUIRE(rules() != before);

    const json capabilities = mappings();
    const json result = network.results["c1 eth0"];
    Answer answer = network.del("c1", capabilities);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(rules() == before);
    network.results["c1 eth0"] = result; // again: nothing left to do, nobody else harmed
    CHECK(network.del("c1", capabilities).ok());
    CHECK(rules() == before);

    CHECK(network.del("c2", capabilities).ok());
    CHECK(rules().find("CNI-DN-") == std::string::npos);
    CHECK(rules().find("cni-br-iface") == std::string::npos);
    CHECK(sh("iptables -t nat -S; ip6tables -t nat -S").find("-s ") == std::string::npos);
}

TEST_CASE("legacy: DEL without prevResult and namespace removes what the Go suite made") {
    World world;
    if (!can_run_go())
        SKIP_CASE("needs the Go suite and iptables-nft");
    world.netns("c1");
    world.netns("c2");
    Network network(go_list());
    add_by_go(network, "c2");
    const std::string before = rules();
    add_by_go(network, "c1");
    network.results.erase("c1 eth0");
    const Answer answer = network.del("c1", {}, {}, "eth0", false);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(rules() == before);
}

TEST_CASE("legacy: the Go suite's masquerade of a container's other interface stays until its own DEL") {
    World world;
    if (!can_run_go())
        SKIP_CASE("needs the Go suite and iptables-nft");
    world.netns("c1");
    Network network(bridge_list());
    add_by_go(network, "c1", "eth0");
    add_by_go(network, "c1", "eth1");
    REQUIRE(network.del("c1", {}, {}, "eth0").ok());
    const std::string v4 = sh("iptables -t nat -S"), v6 = sh("ip6tables -t nat -S");
    CHECK(v4.find("-s 10.9.0.2/32") == std::string::npos);
    CHECK(v4.find("-s 10.9.0.3/32") != std::string::npos);
    CHECK(v6.find("-s fd09::2/128") == std::string::npos);
    CHECK(v6.find("-s fd09::3/128") != std::string::npos);
    CHECK(v4.find("-j MASQUERADE") != std::string::npos);
    REQUIRE(network.del("c1", {}, {}, "eth1").ok());
    CHECK(sh("iptables -t nat -S; ip6tables -t nat -S").find("CNI-") == std::string::npos);
}

TEST_CASE("legacy: with two interfaces and no prevResult nobody's masquerade is guessed at") {
    World world;
    if (!can_run_go())
        SKIP_CASE("needs the Go suite and iptables-nft");
    world.netns("c1");
    Network network(bridge_list());
    add_by_go(network, "c1", "eth0");
    add_by_go(network, "c1", "eth1");
    network.results.erase("c1 eth0");
    REQUIRE(network.del("c1", {}, {}, "eth0").ok());
    CHECK(sh("iptables -t nat -S").find("-s 10.9.0.3/32") != std::string::npos);
}

TEST_CASE("legacy: a rule of the administrator that jumps to a container's chain does not make DEL fail") {
    World world;
    if (!can_run_go())
        SKIP_CASE("needs the Go suite and iptables-nft");
    world.netns("c1");
    Network network(bridge_list());
    add_by_go(network, "c1");
    const std::string chain = sh("iptables -t nat -S | sed -n 's/^-N \\(CNI-.*\\)/\\1/p' | tr -d '\\n'");
    sh("iptables -t nat -N ADMIN; iptables -t nat -A ADMIN -d 203.0.113.9 -j " + chain);
    const Answer answer = network.del("c1");
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(sh("iptables -t nat -S POSTROUTING") == "-P POSTROUTING ACCEPT\n");
    CHECK(sh("iptables -t nat -S " + chain) == "-N " + chain + "\n");
}

TEST_CASE("legacy: DEL removes exactly what the Go suite's nftables backends made for this container") {
    World world;
    world.netns("c1");
    const std::string others_masquerade =
                          masquerade_rule("c2", "eth0", "10.9.0.3") + masquerade_rule("c1", "eth1", "10.9.0.4"),
                      others_port = hostport_table("c2"),
                      others_hairpin = "    ip saddr 10.9.0.3 ip daddr 10.9.0.3 masquerade comment \"c2\"\n";
    const auto without = [&] { return go_nft_tables(others_masquerade, others_port, others_hairpin); };
    load(without());
    const std::string before = rules();
    sh("nft flush ruleset");
    load(go_nft_tables(masquerade_rule("c1", "eth0", "10.9.0.2") + others_masquerade,
                       hostport_table("c1") + others_port + hostport_table("c1"),
                       "    ip saddr 127.0.0.1 ip daddr 10.9.0.2 masquerade comment \"c1\"\n" + others_hairpin));
    Network network(bridge_portmap_list());
    const Answer answer = network.del("c1", mappings());
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(rules() == before);
}

// What the test above writes down by hand, made by the real thing, where there is one that is young enough.
TEST_CASE("legacy: DEL leaves nothing of a container that the Go suite made with its nftables backends") {
    if (!go_has_nftables())
        SKIP_CASE("the Go suite in " + go_dir() + " has no nftables backends: set GO_BIN_DIR to a newer one's folder");
    for (const json& keys : {json::object(), json{{"masqAll", true}}, json{{"snat", false}}}) {
        for (const bool is_whole : {true, false}) { // with what the runtime knows, or without namespace and prevResult
            CAPTURE(keys.dump());
            CAPTURE(is_whole);
            World world;
            world.netns("c1");
            world.netns("c2");
            json list = bridge_portmap_list({{"backend", "nftables"}});
            list["plugins"][0].update({{"macspoofchk", true}, {"ipMasqBackend", "nftables"}});
            list["plugins"][1].update(keys);
            Network network(list);
            add_by_go(network, "c2");
            const std::string before = rules();
            json bound = mappings();
            bound["portMappings"].push_back(
                {{"hostPort", 8081}, {"containerPort", 80}, {"protocol", "tcp"}, {"hostIP", "10.9.0.1"}});
            add_by_go(network, "c1", "eth0", bound);
            REQUIRE(rules().find("10.9.0.3") != std::string::npos);
            if (!is_whole) {
                network.results.clear();
                sh("ip netns del c1");
            }
            const Answer answer = network.del("c1", is_whole ? bound : json::object());
            REQUIRE_MESSAGE(answer.ok(), answer.out);
            CHECK(rules() == before);
            REQUIRE(network.del("c2", mappings()).ok());
            CHECK(rules().find("c2") == std::string::npos);
            CHECK(rules().find("10.9.0.") == std::string::npos);
        }
    }
}

TEST_CASE("legacy: DEL on a host that never had the Go suite makes no table") {
    World world;
    world.netns("c1");
    Network network(go_list());
    REQUIRE(network.del("c1", mappings()).ok());
    CHECK(rules().empty());
}
