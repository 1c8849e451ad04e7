// SPDX-License-Identifier: Apache-2.0
#include "networks.h"

#include <array>

namespace soak {

namespace {

json range(const std::string& subnet, const std::string& start = {}, const std::string& end = {}) {
    json object = {{"subnet", subnet}};
    if (!start.empty())
        object.update({{"rangeStart", start}, {"rangeEnd", end}});
    return object;
}

json ipam_config(const std::string& name, const json& ranges) {
    return {{"cniVersion", "1.0.0"},
            {"name", name},
            {"type", "bridge"},
            {"ipam", {{"type", "host-local"}, {"ranges", ranges}}}};
}

Network& add_network(Soak& soak, const json& config, int capacity = 0) {
    soak.model.networks.push_back(std::make_unique<Network>());
    Network& network = *soak.model.networks.back();
    network.name = config["name"];
    network.config = config;
    network.sets = config["ipam"]["ranges"].size();
    network.capacity = capacity;
    return network;
}

std::vector<json> everything_behind(const std::string& name, const std::string& policy) {
    std::vector<json> plugins = {
        {{"type", "firewall"}, {"ingressPolicy", policy}},
        {{"type", "tuning"}, {"mtu", 1400}, {"promisc", true}, {"sysctl", {{"net.ipv4.conf.IFNAME.arp_filter", "1"}}}},
        {{"type", "bandwidth"},
         {"ingressRate", 80'000'000},
         {"ingressBurst", 8'000'000},
         {"egressRate", 80'000'000},
         {"egressBurst", 8'000'000}}};
    for (json& plugin : plugins)
        plugin.update({{"cniVersion", "1.0.0"}, {"name", name}});
    return plugins;
}

/// No policy: neither firewall nor what is behind it.
Network& add_chain(Soak& soak, const std::string& name, const std::string& bridge, const json& ranges,
                   const std::string& policy = {}) {
    json config = ipam_config(name, ranges);
    config.update({{"bridge", bridge}, {"isDefaultGateway", true}, {"ipMasq", true}, {"macspoofchk", true}});
    Network& network = add_network(soak, config);
    network.portmap = {{"cniVersion", "1.0.0"}, {"name", name}, {"type", "portmap"}, {"snat", true}};
    network.policy = policy;
    if (!policy.empty())
        network.behind = everything_behind(name, policy);
    return network;
}

/// The container's second network: the first one has the default route.
Attachment& attach_second(Soak& soak, Network& network, Attachment& first) {
    Attachment& second = soak.model.attach(network, first.id, first.netns);
    second.ifname = "net1";
    second.companion = &first;
    first.companion = &second;
    return second;
}

/// An IPv4 and an IPv6 range, of two networks on one bridge that share its gateway addresses.
json half(int number, bool upper) {
    const std::string v4 = "10." + std::to_string(number) + ".", v6 = "fd" + std::to_string(number) + "::";
    return {{range(v4 + "0.0/16", v4 + (upper ? "128.0" : "0.10"), v4 + (upper ? "255.250" : "127.255"))},
            {range(v6 + "/64", v6 + (upper ? "8000" : "10"), v6 + (upper ? "ffff" : "7fff"))}};
}

} // namespace

std::vector<Worker> make_workers(Soak& soak, test::World& world, int count) {
    Network& wide = add_network(soak, ipam_config("wide", {{range("10.20.0.0/20")}, {range("fd20::/64")}}));
    Network& split = add_network(
        soak, ipam_config("split", {{range("10.21.0.0/24", "10.21.0.10", "10.21.0.109"), range("10.21.1.0/24")}}));
    Network& tight = add_network(soak, ipam_config("tight", {{range("10.22.0.0/27")}}), 29);
    Network& plain = add_chain(soak, "plain", "br0", {{range("10.30.0.0/24")}, {range("fd30::/64")}});
    const std::array<Network*, 4> walled = {
        &add_chain(soak, "isolated", "br1", {{range("10.31.0.0/24")}}, "isolated"),
        &add_chain(soak, "open", "br2", {{range("10.32.0.0/24")}, {range("fd32::/64")}}, "open"),
        &add_chain(soak, "lower", "br3", half(33, false), "same-bridge"),
        &add_chain(soak, "upper", "br3", half(33, true), "isolated")};
    Network& side = add_chain(soak, "side", "br4", {{range("10.34.0.0/24")}, {range("fd34::/64")}}, "same-bridge");
    side.config["isDefaultGateway"] = false;
    side.config["isGateway"] = true;
    const std::array<Network*, 2> contested = {&add_chain(soak, "calls", "br5", half(35, false), "isolated"),
                                               &add_chain(soak, "cross", "br5", half(35, true), "same-bridge")};
    for (Network* network : contested)
        network->portmap["conditionsV4"] = {"!", "-s", "192.0.2.0/24"};
    std::vector<Worker> workers(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < workers.size(); ++i) {
        Worker& worker = workers[i];
        const std::string id = "w" + std::to_string(i), other = "c" + std::to_string(i);
        for (Network* network : {&wide, &wide, &split, &split, &tight})
            worker.ipam.push_back(
                &soak.model.attach(*network, id + "-" + std::to_string(worker.ipam.size()), "/run/netns/none"));
        Network& first = i % 2 == 0 ? plain : *walled[i / 2 % walled.size()];
        worker.chains = {&soak.model.attach(first, id, world.netns(id))};
        if (i % 3 == 0)
            worker.chains.push_back(&attach_second(soak, side, *worker.chains[0]));
        worker.contested = &soak.model.attach(*contested[i % 2], other, world.netns(other));
        worker.contested->private_port = 30'000 + 5 * static_cast<int>(i);
    }
    return workers;
}

} // namespace soak
