// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "contestant.h"

// Packets through what the plugins made: a host outside, the container c1, and TCP between them.
namespace bench {

/// The namespace "out", joined to the host's by a veth pair: 198.51.100.1 on our side, .2 on its side.
Sample make_outside(World& world);
/// In c1: accepts on `port` until stop_server.
Sample start_server(World& world, int port);
Sample stop_server(World& world);
/// From outside to a mapped port of this host: the time until the connection stands.
Sample connect_once(int port);
/// iperf3 for a second, into Sample::gigabits: from c1 to outside, masqueraded; from outside to c1, port-mapped.
Sample masqueraded_throughput();
Sample mapped_throughput(int host_port, int container_port);

} // namespace bench
