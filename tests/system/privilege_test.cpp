// SPDX-License-Identifier: Apache-2.0
// What the plugins need to be allowed.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "bridge_call.h"

using namespace test;

namespace {

const json dual_stack = {
    {"isDefaultGateway", true}, {"ipMasq", true}, {"macspoofchk", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}};

std::vector<json> whole_chain() {
    std::vector<json> configs = behind_bridge("isolated");
    configs.insert(configs.begin(), bridge_config(dual_stack));
    return configs;
}

json with_prev(json config, const json& result) {
    if (!result.is_null())
        config["prevResult"] = result;
    return config;
}

} // namespace

TEST_CASE("privilege: CAP_NET_ADMIN and CAP_SYS_ADMIN are enough for the whole chain") {
    World world;
    const std::string c1 = world.netns("c1");
    sh("iptables -P FORWARD DROP");
    const std::vector<std::string> restrained = {"setpriv", "--bounding-set", "-all,+net_admin,+sys_admin"};
    REQUIRE(contains(sh("setpriv --bounding-set -all,+net_admin,+sys_admin grep CapEff /proc/self/status"),
                     "0000000000201000"));
    const auto call = [&](const std::string& command, const json& config, const std::string& netns) {
        const std::string plugin = config["type"];
        CAPTURE(plugin);
        CAPTURE(command);
        const Answer answer = invoke({.plugin = plugin,
                                      .command = command,
                                      .config = config,
                                      .id = netns.empty() ? "" : "c1",
                                      .netns = netns,
                                      .ifname = netns.empty() ? "" : "eth0",
                                      .wrapper = restrained});
        CHECK_MESSAGE(answer.ok(), answer.out);
        return answer;
    };
    std::vector<json> chain = whole_chain();
    json result;
    for (const json& config : chain)
        result = call("ADD", with_prev(config, result), c1).document();
    const Server server(c1, "tcp", 80, "c1");
    CHECK(ask("", "tcp", "127.0.0.1", 8080).has_value());
    for (const json& config : chain)
        call("CHECK", with_prev(config, result), c1);
    std::reverse(chain.begin(), chain.end());
    for (const json& config : chain)
        call("DEL", with_prev(config, result), c1);
    for (json config : chain) {
        config.update({{"cniVersion", "1.1.0"}, {"cni.dev/valid-attachments", json::array()}});
        call("GC", config, "");
    }
    CHECK(leases("net").empty());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
    CHECK(sh("ip -o link show type veth; ip -o link show type ifb; find /run/cni -type f").empty());
}

TEST_CASE("privilege: a user without any, in namespaces of his own") {
    World world;
    if (!works("setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-root-user --net true"))
        SKIP_CASE("this kernel lets users make no namespaces");
    sh("mkdir -m 755 /run/plugins; cp " + bin_dir() + "/* /run/plugins; chmod 755 /run /run/netns /var/lib/cni");
    std::string metas;
    for (json config : whole_chain()) {
        const std::string name = config["type"];
        if (name == "tuning")
            config["dataDir"] = "/var/lib/cni/tuning"; // he has no /run/cni
        if (name != "bridge")
            metas += " " + name;
        std::ofstream("/run/" + name + ".json") << config.dump();
    }
    std::ofstream("/run/as-nobody") << "metas='" + metas + R"('; set -e
mount -t tmpfs tmpfs /run/netns; mount -t tmpfs tmpfs /var/lib/cni; ip link set lo up
touch /run/netns/c1; unshare --net=/run/netns/c1 true
export CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/run/plugins
CNI_COMMAND=ADD /run/plugins/bridge < /run/bridge.json > /var/lib/cni/out || { cat /var/lib/cni/out; exit 1; }
result=/var/lib/cni/out
for verb in ADD CHECK DEL; do
    for meta in $metas; do
        jq --slurpfile r $result '.prevResult = $r[0]' /run/$meta.json > /var/lib/cni/sent
        CNI_COMMAND=$verb /run/plugins/$meta < /var/lib/cni/sent > /var/lib/cni/out2 || { cat /var/lib/cni/out2; exit 1; }
        [ $verb != ADD ] || cp /var/lib/cni/out2 $result
    done
    [ $verb = DEL ] || nsenter --net=/run/netns/c1 ping -c1 -W2 10.9.0.1 >&2
done
CNI_COMMAND=DEL /run/plugins/bridge < /run/bridge.json
ip -o link show type ifb; ls /var/lib/cni/networks/net; ip -o link show type veth; nft list ruleset | grep net/c1 || true)";
    CHECK(sh("setpriv --reuid 65534 --regid 65534 --clear-groups "
             "unshare --user --map-root-user --net --mount --propagation private sh /run/as-nobody 2>/run/err "
             "|| cat /run/err") == "last_reserved_ip.0\nlast_reserved_ip.1\nlock\n");
}
