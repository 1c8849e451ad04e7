// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "invoke.h"
#include "world.h"

using namespace test;

TEST_CASE("chain: two containers on a bridge reach the gateway, each other and the outside") {
    World world;
    const std::string outside = world.outside(), c1 = world.netns("c1"), c2 = world.netns("c2");
    Network network(bridge_list());
    const Answer first = network.add("c1");
    REQUIRE_MESSAGE(first.ok(), first.out);
    REQUIRE(network.add("c2").ok());
    CHECK(works("ping -c1 -W2 10.9.0.1", c1));
    CHECK(works("ping -c1 -W2 10.9.0.3", c1));
    CHECK(eventually([&] { return works("ping -c1 -W1 fd09::3", c1); }));

    const Server server(outside, "tcp", 80, "outside");
    CHECK(ask(c1, "tcp", "192.0.2.2", 80) == "outside 192.0.2.1");
    CHECK(ask(c1, "tcp", "2001:db8::2", 80) == "outside 2001:db8::1");

    CHECK(network.check("c1").ok());
    CHECK(network.del("c1").ok());
    CHECK(network.del("c2").ok());
    CHECK(sh("ip -o link show type veth | grep -v uplink || true").empty());
    CHECK(leases("net").empty());
}
