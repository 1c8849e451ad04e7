// SPDX-License-Identifier: Apache-2.0
// The model soak: 64 workers make random calls of host-local and of whole chains over several networks and ranges, the
// Go suite's host-local among them, kill some in the middle, and compare every answer and what is on the host with a
// model: no address and no host port held twice, none lost, no lease, element or link without an owner.
// Usage: cnative_soak [--operations N] [--seed N] [--workers N] [--chains PERCENT]
//   CNI_BIN_DIR: our plugins; GO_BIN_DIR: the Go suite's, /usr/lib/cni when not set, empty for none.
// A worker's choices follow from the seed; which of two workers is faster does not. Closing line: 'N passed, N failed'.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include <unistd.h>

#include "model.h"
#include "world.h"

namespace {

using namespace soak;

struct Options {
    long operations = 3000;
    std::uint64_t seed = static_cast<std::uint64_t>(time(nullptr));
    int workers = 64;
    int chains = 10; ///< per cent
};

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string key = argv[i];
        const auto value = std::strtoull(argv[i + 1], nullptr, 10);
        if (key == "--operations")
            options.operations = static_cast<long>(value);
        else if (key == "--seed")
            options.seed = value;
        else if (key == "--workers")
            options.workers = static_cast<int>(value);
        else if (key == "--chains")
            options.chains = static_cast<int>(value);
    }
    return options;
}

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

Network& add_chain(Soak& soak, const std::string& name, const std::string& bridge, const json& ranges) {
    json config = ipam_config(name, ranges);
    config.update({{"bridge", bridge}, {"isDefaultGateway", true}, {"ipMasq", true}, {"macspoofchk", true}});
    Network& network = add_network(soak, config);
    network.portmap = {{"cniVersion", "1.0.0"}, {"name", name}, {"type", "portmap"}, {"snat", true}};
    return network;
}

std::vector<json> everything_behind(const std::string& name) {
    std::vector<json> plugins = {
        {{"type", "firewall"}, {"ingressPolicy", "isolated"}},
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

/// A worker's containers: those of host-local alone, and the one with a namespace.
struct Worker {
    std::vector<Attachment*> ipam;
    Attachment* chain = nullptr;
};

std::vector<Worker> make_workers(Soak& soak, test::World& world, const Options& options) {
    Network& wide = add_network(soak, ipam_config("wide", {{range("10.20.0.0/20")}, {range("fd20::/64")}}));
    Network& split = add_network(
        soak, ipam_config("split", {{range("10.21.0.0/24", "10.21.0.10", "10.21.0.109"), range("10.21.1.0/24")}}));
    Network& tight = add_network(soak, ipam_config("tight", {{range("10.22.0.0/27")}}), 29);
    Network& first = add_chain(soak, "first", "br0", {{range("10.30.0.0/24")}, {range("fd30::/64")}});
    Network& second = add_chain(soak, "second", "br1", {{range("10.31.0.0/24")}});
    second.behind = everything_behind(second.name);
    std::vector<Worker> workers(static_cast<std::size_t>(options.workers));
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const std::string id = "w" + std::to_string(i);
        for (Network* network : {&wide, &wide, &split, &split, &tight})
            workers[i].ipam.push_back(
                &soak.model.attach(*network, id + "-" + std::to_string(workers[i].ipam.size()), "/run/netns/none"));
        workers[i].chain = &soak.model.attach(i % 2 == 0 ? first : second, id, world.netns(id));
    }
    return workers;
}

void work(Soak& soak, const Worker& worker, const Options& options, std::uint64_t number) {
    Random random(options.seed * 1000 + number);
    while (soak.counts.operations++ < options.operations && soak.model.violations < 20) {
        const bool chain = chance(random, options.chains);
        Attachment& attachment = chain ? *worker.chain : *worker.ipam[random() % worker.ipam.size()];
        const auto dice = random() % 1000;
        if (dice < 4) {
            collect_garbage(soak, *attachment.network, random);
        } else if (dice == 4) {
            audit(soak, *attachment.network);
        } else {
            const std::shared_lock together(attachment.network->gate);
            chain ? operate_chain(soak, attachment, random) : operate_ipam(soak, attachment, random);
        }
    }
}

void work_guarded(Soak& soak, const Worker& worker, const Options& options, std::uint64_t number) {
    try {
        work(soak, worker, options, number);
    } catch (const std::exception& error) {
        soak.model.violation("worker " + std::to_string(number) + ": " + error.what(), worker.chain);
    }
}

/// In the end everybody goes, and nothing may be left.
void finish(Soak& soak) {
    Random random(1);
    for (const auto& network : soak.model.networks) {
        audit(soak, *network);
        for (const auto& attachment : network->attachments)
            network->portmap.is_null() ? del_ipam(soak, *attachment, random, 0)
                                       : del_chain(soak, *attachment, random, 0);
        audit(soak, *network);
    }
}

void print_summary(const Soak& soak) {
    const Counts& c = soak.counts;
    std::printf(
        "%ld ADD, %ld DEL, %ld CHECK, %ld GC, %ld audits; %ld of them chains, %ld by the Go suite's host-local\n",
        c.adds.load(), c.dels.load(), c.checks.load(), c.gcs.load(), c.audits.load(), c.chains.load(), c.go.load());
    std::printf(
        "%ld calls killed, %ld ended by SIGTERM with an answer; %ld times a full range, %ld times a taken port\n",
        c.killed.load(), c.terminated.load(), c.exhausted.load(), c.ports_taken.load());
}

} // namespace

int main(int argc, char** argv) {
    const Options options = read_options(argc, argv);
    const char* bin = std::getenv("CNI_BIN_DIR");
    const char* go = std::getenv("GO_BIN_DIR");
    Soak soak;
    soak.bin = bin != nullptr ? bin : DEFAULT_BIN_DIR;
    soak.go = go != nullptr ? go : "/usr/lib/cni";
    if (!soak.go.empty() && access((soak.go + "/host-local").c_str(), X_OK) != 0) {
        std::printf("FAIL no host-local of the Go suite in %s; GO_BIN_DIR= to do without\n", soak.go.c_str());
        return 1;
    }
    std::printf("seed %llu; again: %s --operations %ld --workers %d --chains %d --seed %llu\n",
                static_cast<unsigned long long>(options.seed), argv[0], options.operations, options.workers,
                options.chains, static_cast<unsigned long long>(options.seed));
    (void)std::fflush(stdout);
    test::World world;
    test::sh("iptables -P FORWARD DROP"); // what firewall has to get past
    const std::vector<Worker> workers = make_workers(soak, world, options);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < workers.size(); ++i)
            threads.emplace_back([&, i] { work_guarded(soak, workers[i], options, i); });
    }
    finish(soak);
    print_summary(soak);
    const long operations = std::min(soak.counts.operations.load(), options.operations);
    std::printf("%ld passed, %d failed\n", operations - soak.model.violations, soak.model.violations.load());
    return soak.model.violations == 0 ? 0 : 1;
}
