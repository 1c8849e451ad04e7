// SPDX-License-Identifier: Apache-2.0
// portmap: host ports of a container that is gone without a DEL of ours: its runtime died, or other plugins had the
// DEL.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include "portmap_call.h"
#include "world.h"

using namespace test;

namespace {

struct Hosts {
    World world;
    std::string outside = world.outside(), c1 = world.netns("c1");
    Network network;
    Server server{c1, "tcp", 80, "c1"};

    explicit Hosts(const json& keys = json::object()) : network(bridge_portmap_list(keys, "1.0.0")) {
        world.netns("gone");
    }
    std::string at(int port) const { return ask(outside, "tcp", "192.0.2.1", port).value_or("--").substr(0, 2); }
};

/// Takes the namespace away, with all that the kernel does when nobody is looking.
void end_of(const std::string& name) {
    sh("before=$(ip -o link show type veth | wc -l); ip netns del " + name +
       "; for i in $(seq 100); do [ $(ip -o link show type veth | wc -l) = $before ] || exit 0; sleep 0.1; done; "
       "false");
}

/// Takes it away, but for its number: other cases make namespaces meanwhile, and in one that got the number there would
/// be somebody.
class Departure {
  public:
    Departure() : number_(open("/run/netns/gone", O_RDONLY | O_CLOEXEC)) { sh("ip netns del gone"); }
    Departure(const Departure&) = delete;
    Departure& operator=(const Departure&) = delete;
    ~Departure() { close(number_); }

  private:
    int number_;
};

std::string elements_of_gone(const std::string& set) {
    return sh("nft list table inet cnative | awk '/^\\t(set|map) / { set = $2 } /net\\/gone\\/eth0/ { print set }' | "
              "grep '" +
              set + "' || true");
}

} // namespace

TEST_CASE("portmap: the host ports of a container whose namespace is gone are free") {
    Hosts hosts;
    const json both = ports({mapping(8080, 80), mapping(8081, 81, "udp")});
    REQUIRE(hosts.network.add("gone", both).ok());
    CHECK(hosts.network.add("c1", both).msg().find("is taken by container gone (network net)") != std::string::npos);
    REQUIRE(hosts.network.del("c1", both).ok());
    end_of("gone");
    const Answer answer = hosts.network.add("c1", both);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(contains(answer.err, "net/gone/eth0 never gave back its host ports, and its network namespace is gone"));
    CHECK(hosts.at(8080) == "c1");
    CHECK(hosts.network.check("c1", both).ok());
    CHECK(elements_of_gone("host").empty());
    CHECK(elements_of_gone("attachments").empty());
    REQUIRE(hosts.network.del("gone", both, {}, "eth0", false).ok());
    CHECK(hosts.at(8080) == "c1");
}

TEST_CASE("portmap: of a container that is gone nothing stands in the way, conditions and ranges neither") {
    Hosts hosts(
        json{{"backend", "nftables"}, {"conditionsV4", json::array({"ip saddr != 192.0.2.2"})}}); // not from outside
    json range = mapping(9000, 9000);
    range["hostPortEnd"] = 9010;
    REQUIRE(hosts.network.add("gone", ports({mapping(8080, 80), range})).ok());
    end_of("gone");
    Network open(bridge_portmap_list(json::object(), "1.0.0"));
    const json wanted = ports({mapping(8080, 80), mapping(9005, 80)});
    const Answer answer = open.add("c1", wanted);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(hosts.at(8080) == "c1");
    CHECK(hosts.at(9005) == "c1");
    CHECK(elements_of_gone("conditions\\|host").empty());
}

TEST_CASE("portmap: a namespace that only lost its name is not gone while a process lives in it") {
    Hosts hosts;
    const json port = ports({mapping(8080, 80)});
    REQUIRE(hosts.network.add("gone", port).ok());
    const Server survivor("/run/netns/gone", "tcp", 80, "it");
    sh("ip netns del gone");
    CHECK(contains(hosts.network.add("c1", port).msg(), "host port 8080/tcp is taken by container gone (network net)"));
    CHECK(hosts.at(8080) == "it");
}

TEST_CASE("portmap: where the result names no veth, a namespace that nothing leads to and nobody lives in is gone") {
    World world;
    const std::string outside = world.outside();
    const Server server(world.netns("c1"), "tcp", 80, "c1");
    world.netns("gone");
    Network network(bridge_portmap_list(json{{"backend", "nftables"}}, "0.2.0")); // results without interfaces
    const json port = ports({mapping(8080, 80)});
    REQUIRE(network.add("gone", port).ok());
    CHECK(contains(network.add("c1", port).msg(), "is taken by container gone (network net)"));
    REQUIRE(network.del("c1", port).ok());
    const Departure departure;
    const Answer answer = network.add("c1", port);
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(ask(outside, "tcp", "192.0.2.1", 8080).value_or("--").starts_with("c1"));
}

// As apptainer calls: one path for all containers, which leads to each one's namespace in a mount namespace that each
// call has for itself. The kernel gives the numbers of those that have gone to the next.
TEST_CASE("portmap: a container that is gone does not keep its port where each call has mounts of its own") {
    Hosts hosts;
    sh("touch /run/session");
    const json port = ports({mapping(8080, 80)});
    const auto add = [&](const std::string& id) {
        Answer answer;
        json result;
        for (const std::size_t index : {0U, 1U}) {
            const json config = hosts.network.config(index, result, port);
            answer = invoke({.plugin = config["type"],
                             .config = config,
                             .id = id,
                             .netns = "/run/session",
                             .wrapper = {"unshare", "--mount", "--propagation", "private", "sh", "-c",
                                         "mount --bind /run/netns/" + id + R"( /run/session && exec "$@")", "sh"}});
            if (!answer.ok())
                return answer;
            result = answer.document();
        }
        return answer;
    };
    REQUIRE(add("gone").ok());
    CHECK(contains(add("c1").msg(), "host port 8080/tcp is taken by container gone (network net)"));
    REQUIRE(hosts.network.del("c1", port).ok());
    end_of("gone");
    const Answer answer = add("c1");
    REQUIRE_MESSAGE(answer.ok(), answer.out);
    CHECK(contains(answer.err, "net/gone/eth0 never gave back its host ports, and its network namespace is gone"));
    CHECK(hosts.at(8080) == "c1");
    CHECK(elements_of_gone("host").empty());
    REQUIRE(hosts.network.del("c1", port).ok());
    CHECK(hosts.at(8080) == "--");
}

TEST_CASE("portmap: a container that is added again is known by the namespace it has now") {
    Hosts hosts;
    const json port = ports({mapping(8080, 80)});
    REQUIRE(hosts.network.add("gone", port).ok());
    REQUIRE(invoke({.plugin = "bridge",
                    .command = "DEL",
                    .config = hosts.network.config(0, nullptr, {}),
                    .id = "gone",
                    .netns = "/run/netns/gone"})
                .ok());
    const Departure departure;
    sh("rm /var/lib/cni/networks/net/last_reserved_ip.*"); // the same addresses again
    hosts.world.netns("gone");
    REQUIRE(hosts.network.add("gone", port).ok());
    const Server server("/run/netns/gone", "tcp", 80, "it");
    CHECK(contains(hosts.network.add("c1", port).msg(), "host port 8080/tcp is taken by container gone (network net)"));
    CHECK(hosts.at(8080) == "it");
}
