// SPDX-License-Identifier: Apache-2.0
// What the plugins need to be allowed.
#include <doctest/doctest.h>

#include <fstream>

#include "bridge_call.h"

using namespace test;

namespace {

const json dual_stack = {
    {"isDefaultGateway", true}, {"ipMasq", true}, {"macspoofchk", true}, {"ipam", ipam({"10.9.0.0/24", "fd09::/64"})}};

json portmap_config(const json& result) {
    return {{"cniVersion", "1.0.0"},
            {"name", "net"},
            {"type", "portmap"},
            {"prevResult", result},
            {"runtimeConfig", {{"portMappings", {{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}}}}}}};
}

} // namespace

TEST_CASE("privilege: CAP_NET_ADMIN and CAP_SYS_ADMIN are enough for the whole chain") {
    World world;
    const std::string c1 = world.netns("c1");
    const std::vector<std::string> restrained = {"setpriv", "--bounding-set", "-all,+net_admin,+sys_admin"};
    REQUIRE(contains(sh("setpriv --bounding-set -all,+net_admin,+sys_admin grep CapEff /proc/self/status"),
                     "0000000000201000"));
    const auto call = [&](const std::string& plugin, const std::string& command, const json& config) {
        const Answer answer =
            invoke({.plugin = plugin, .command = command, .config = config, .netns = c1, .wrapper = restrained});
        CHECK_MESSAGE(answer.ok(), answer.out);
        return answer;
    };
    const json result = call("bridge", "ADD", bridge_config(dual_stack)).document();
    const json ports = portmap_config(result);
    call("portmap", "ADD", ports);
    const Server server(c1, "tcp", 80, "c1");
    CHECK(ask("", "tcp", "127.0.0.1", 8080).has_value());
    json again = bridge_config(dual_stack);
    again["prevResult"] = result;
    call("bridge", "CHECK", again);
    call("portmap", "CHECK", ports);
    call("portmap", "DEL", ports);
    call("bridge", "DEL", again);
    CHECK(leases("net").empty());
    CHECK(!contains(sh("nft list ruleset"), "net/c1"));
}

TEST_CASE("privilege: a user without any, in namespaces of his own") {
    World world;
    if (!works("setpriv --reuid 65534 --regid 65534 --clear-groups unshare --user --map-root-user --net true"))
        SKIP_CASE("this kernel lets users make no namespaces");
    sh("mkdir -m 755 /run/plugins; cp " + bin_dir() + "/bridge " + bin_dir() +
       "/host-local /run/plugins; "
       "chmod 755 /run /run/netns /var/lib/cni");
    std::ofstream("/run/config") << bridge_config(dual_stack).dump();
    std::ofstream("/run/as-nobody") << R"(set -e
mount -t tmpfs tmpfs /run/netns; mount -t tmpfs tmpfs /var/lib/cni; ip link set lo up
touch /run/netns/c1; unshare --net=/run/netns/c1 true
export CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/run/plugins
CNI_COMMAND=ADD /run/plugins/bridge < /run/config > /var/lib/cni/out || { cat /var/lib/cni/out; exit 1; }
nsenter --net=/run/netns/c1 ping -c1 -W2 10.9.0.1 >&2
CNI_COMMAND=DEL /run/plugins/bridge < /run/config
ls /var/lib/cni/networks/net; ip -o link show type veth; nft list ruleset | grep net/c1 || true)";
    CHECK(sh("setpriv --reuid 65534 --regid 65534 --clear-groups "
             "unshare --user --map-root-user --net --mount --propagation private sh /run/as-nobody 2>/run/err "
             "|| cat /run/err") == "last_reserved_ip.0\nlast_reserved_ip.1\nlock\n");
}
