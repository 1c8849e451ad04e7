// SPDX-License-Identifier: Apache-2.0
#include "steps.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

#include "traffic.h"

namespace bench {

namespace {

std::string text(int number) {
    return std::to_string(number);
}

std::string bridge_config(const std::string& network = "bench", const std::string& bridge = "br0",
                          const std::string& subnet4 = "10.9.0.0/24", const std::string& subnet6 = "fd09::/64") {
    return R"({"cniVersion":"1.0.0","name":")" + network + R"(","type":"bridge","bridge":")" + bridge +
           R"(","isDefaultGateway":true,"ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":")" + subnet4 +
           R"("}],[{"subnet":")" + subnet6 + R"("}]]}})";
}

std::string pool_config(const std::string& network, const std::string& subnet) {
    return R"({"cniVersion":"1.0.0","name":")" + network +
           R"(","type":"none","ipam":{"type":"host-local","ranges":[[{"subnet":")" + subnet + R"("}]]}})";
}

// portmap's config for one container: `ports` mappings from `first_port` on.
std::string portmap_config(const std::string& result, int first_port, int ports) {
    std::string mappings;
    for (int port = first_port; port < first_port + ports; ++port)
        mappings += std::string(mappings.empty() ? "" : ",") + R"({"hostPort":)" + text(port) +
                    R"(,"containerPort":80,"protocol":"tcp"})";
    return R"({"cniVersion":"1.0.0","name":"bench","type":"portmap","snat":true,"prevResult":)" + result +
           R"(,"runtimeConfig":{"portMappings":[)" + mappings + "]}}";
}

std::string result_for(int container) {
    return R"({"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"/run/netns/c1"}],"ips":[{"interface":0,"address":"10.9.)" +
           text(container / 250) + "." + text(container % 250 + 2) + R"(/16"}]})";
}

constexpr int mapped_port = 8080;

// The config above with one entry of our own kind: ten thousand ports.
std::string range_config(const std::string& result) {
    std::string config = portmap_config(result, 20000, 1);
    const std::string one = R"("hostPort":20000,"containerPort":80)";
    return config.replace(config.find(one), one.size(),
                          R"("hostPort":20000,"hostPortEnd":29999,"containerPort":20000)");
}

// ADD once so that what all containers share is there, and DEL; keeps the result for portmap.
Sample prepare(World& world, Kind kind, const std::string& ours) {
    World maker(kind == Kind::floor ? ours : world.bin_dir());
    Sample sample = maker.call({"bridge", "ADD", bridge_config()});
    world.memory["portmap"] = portmap_config(maker.output(), mapped_port, 1);
    world.memory["range"] = range_config(maker.output());
    sample += maker.call({"portmap", "ADD", world.memory["portmap"]});
    if (kind == Kind::floor) {
        const std::string link =
            sh("ip -o link show type veth | sed -n 's/^[0-9]*: \\(veth[0-9a-f]*\\)@.*/\\1/p' | head -1");
        world.environment["FLOOR_VETH"] = link.substr(0, link.find('\n'));
        world.environment["FLOOR_RECORD"] =
            sh("nft --debug=netlink list map inet cnative attachments 2>/dev/null | sed -nE "
               "'s,.*element ([0-9a-f]{8}) ([0-9a-f]{8}) +: ([0-9a-f]{8}) .*,\\1.\\2.\\3,p'");
        world.environment["FLOOR_BRIDGE"] = sh("ip -o link show br0 | cut -d: -f1");
    }
    sample += maker.call({"portmap", "DEL", world.memory["portmap"]});
    sample += maker.call({"bridge", "DEL", bridge_config()});
    return sample;
}

// --- pools ---

std::string address4(int index) {
    return "10.20." + text(index / 256) + "." + text(index % 256);
}

void fill_pool(const std::string& network, int count, bool v6) {
    const std::string folder = "/var/lib/cni/networks/" + network + "/";
    sh("rm -rf " + folder + " /var/lib/cni/networks/.cnative/" + network + ".index; mkdir -p " + folder);
    char name[64];
    for (int i = 0; i < count; ++i) {
        // From the subnet's third address on, as if handed out one after the other.
        std::snprintf(name, sizeof name, "fd20::%x", i + 2);
        std::ofstream(folder + (v6 ? std::string(name) : address4(i + 2))) << "filler" << i << "\r\neth0";
    }
    std::snprintf(name, sizeof name, "fd20::%x", count + 1);
    std::ofstream(folder + "last_reserved_ip.0") << (v6 ? std::string(name) : address4(count + 1));
}

Step pool_step(const std::string& network, const std::string& subnet, const std::string& verb) {
    return [=](World& world) { return world.call({"host-local", verb, pool_config(network, subnet)}); };
}

void add_pool(std::map<std::string, Step>& steps, const std::string& network, const std::string& subnet, int count,
              bool v6) {
    steps[network + " fill"] = [=](World& world) {
        fill_pool(network, count, v6);
        // The first call reads the directory; what is measured comes after it.
        Sample sample = world.call({"host-local", "ADD", pool_config(network, subnet)});
        sample += world.call({"host-local", "DEL", pool_config(network, subnet)});
        return sample;
    };
    steps[network + " add"] = pool_step(network, subnet, "ADD");
    steps[network + " del"] = pool_step(network, subnet, "DEL");
}

// --- port mappings ---

Step map_ports(int mappings, const std::string& verb) {
    constexpr int ports_a_container = 100;
    return [=](World& world) {
        Sample sample;
        for (int done = 0; done < mappings; done += ports_a_container) {
            const int container = done / ports_a_container + 100;
            sample +=
                world.call({"portmap", verb, portmap_config(result_for(container), 10000 + done, ports_a_container),
                            "mapped" + text(container)});
        }
        return sample;
    };
}

// --- memory ---

Sample peak(World& world, const std::string& floor, const std::string& plugin, const std::string& verb,
            const std::string& config) {
    std::ofstream("/run/config") << config;
    std::string more;
    for (const auto& [key, value] : world.environment)
        more += key + "=" + value.substr(0, value.find('\n')) + " ";
    const std::string kib =
        sh(more + "CNI_COMMAND=" + verb +
           " CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=" + world.bin_dir() + " " + floor +
           "/rss " + world.bin_dir() + "/" + plugin + " 3>/run/kib < /run/config > /dev/null 2>&1; cat /run/kib");
    return {.peak_kib = std::atol(kib.c_str())};
}

// --- many at once ---

std::vector<Call> crowd(const std::string& verb, bool own_bridges, int size = parallel_calls) {
    std::vector<Call> calls;
    for (int i = 0; i < size; ++i) {
        const std::string n = text(i);
        calls.push_back({"bridge", verb,
                         own_bridges
                             ? bridge_config("crowd" + n, "brc" + n, "10.100." + n + ".0/24", "fd64:" + n + "::/64")
                             : bridge_config("crowd", "brc", "10.99.0.0/16", "fd63::/64"),
                         "crowd" + n, "/run/netns/crowd" + n});
    }
    return calls;
}

Sample make_crowd(World&) {
    for (int i = 0; i < parallel_calls; ++i)
        sh("ip netns add crowd" + text(i));
    return {};
}

// Addresses that two of the crowd have, and members without one.
Sample duplicates(World&) {
    std::set<std::string> seen;
    Sample sample;
    for (int i = 0; i < parallel_calls; ++i) {
        const std::string address =
            sh("ip -n crowd" + text(i) + " -o -4 addr show dev eth0 2>/dev/null | awk '{print $4}'");
        if (address.empty() || !seen.insert(address).second)
            ++sample.failures;
    }
    return sample;
}

// --- system calls ---

// strace of one bridge ADD, into /tmp/cnative-bench-trace; how much the kernel told us by netlink.
Sample trace_once(World& world) {
    std::ofstream("/run/config") << bridge_config();
    std::string more;
    for (const auto& [key, value] : world.environment)
        more += key + "=" + value.substr(0, value.find('\n')) + " ";
    sh(more + "CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=" + world.bin_dir() +
       " strace -f -o /tmp/cnative-bench-trace " + world.bin_dir() + "/bridge < /run/config > /dev/null 2>&1");
    Sample sample = world.call({"bridge", "DEL", bridge_config()});
    sample.bytes = std::atof(
        sh("awk '/recv(msg|from)\\(/ && / = [0-9]+$/ {sum += $NF} END {print sum + 0}' /tmp/cnative-bench-trace")
            .c_str());
    return sample;
}

// Events of other links arrive or do not: the fewest bytes are what it asked for.
Sample trace(World& world) {
    Sample least = trace_once(world);
    for (int i = 0; i < 4; ++i) {
        const Sample sample = trace_once(world);
        if (sample.bytes < least.bytes)
            least = sample;
    }
    return least;
}

// Links, addresses, routes, policy rules and netfilter rules that are none of ours.
Sample make_busy_host(World&) {
    {
        std::ofstream file("/run/busy");
        for (int i = 0; i < 200; ++i)
            file << "link add busy" << i << " type veth peer name busyp" << i << "\nlink set busy" << i
                 << " up\naddr add 172.16." << i << ".1/24 dev busy" << i << "\n";
        for (int i = 0; i < 2000; ++i)
            file << "route add 172.20." << i / 256 << "." << i % 256 << "/32 dev lo\n";
        for (int i = 0; i < 500; ++i)
            file << "rule add from 172.21." << i / 256 << "." << i % 256 << " lookup 100\n";
    }
    sh("ip -batch /run/busy; nft add table ip busy; nft add chain ip busy c; for i in $(seq 200); do echo add rule ip "
       "busy "
       "c ip saddr 172.22.0.$i drop; done | nft -f -");
    return {};
}

Sample make_idle_host(World&) {
    return sh("for i in $(seq 0 199); do echo link del busy$i; done | ip -batch -; ip route flush dev lo table main "
              "proto "
              "boot; while ip rule del lookup 100 2>/dev/null; do :; done; nft delete table ip busy"),
           Sample{};
}

// --- the host's own rules ---

Sample foreign_ruleset(World&, int rules, int elements) {
    {
        std::ofstream file("/run/foreign.nft");
        file << "table ip foreign {\n set s { type ipv4_addr; }\n chain c {\n";
        for (int i = 0; i < rules; ++i)
            file << "ip saddr 172." << i / 65536 % 256 << "." << i / 256 % 256 << "." << i % 256 << " drop\n";
        file << "}\n}\n";
        for (int i = 0; i < elements; i += 1000) {
            file << "add element ip foreign s { ";
            for (int j = i; j < i + 1000; ++j)
                file << (j == i ? "" : ", ") << "100." << j / 65536 % 256 << "." << j / 256 % 256 << "." << j % 256;
            file << " }\n";
        }
    }
    sh("nft -f /run/foreign.nft");
    return {};
}

void add_traffic(std::map<std::string, Step>& steps) {
    steps["outside"] = make_outside;
    steps["serve"] = [](World& world) { return start_server(world, 80); };
    steps["stop serving"] = stop_server;
    steps["connect"] = [](World&) { return connect_once(mapped_port); };
    steps["masqueraded"] = [](World&) { return masqueraded_throughput(); };
    steps["mapped"] = [](World&) { return mapped_throughput(mapped_port, 80); };
}

Sample version(World& world, const std::string& plugin) {
    const bool there = std::filesystem::exists(world.bin_dir() + "/" + plugin); // the floor program has one for all
    return world.call({there ? plugin : "loopback", "VERSION", ""});
}

} // namespace

std::vector<std::string> plugins_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.is_regular_file() && access(entry.path().c_str(), X_OK) == 0)
            names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
}

std::map<std::string, Step> steps(Kind kind, const std::string& ours, const std::string& floor) {
    std::map<std::string, Step> all;
    all["prepare"] = [=](World& world) { return prepare(world, kind, ours); };
    for (const std::string& plugin : plugins_in(ours)) {
        all["version " + plugin] = [=](World& world) { return version(world, plugin); };
        all["rss version " + plugin] = [=](World& world) { return peak(world, floor, plugin, "VERSION", ""); };
    }
    for (const std::string verb : {"ADD", "DEL"}) {
        all["bridge " + verb] = [=](World& world) { return world.call({"bridge", verb, bridge_config()}); };
        all["portmap " + verb] = [=](World& world) { return world.call({"portmap", verb, world.memory["portmap"]}); };
        all["rss bridge " + verb] = [=](World& world) { return peak(world, floor, "bridge", verb, bridge_config()); };
        all["rss portmap " + verb] = [=](World& world) {
            return peak(world, floor, "portmap", verb, world.memory["portmap"]);
        };
        all["rss host-local " + verb] = [=](World& world) {
            return peak(world, floor, "host-local", verb, pool_config("pool60000", "10.20.0.0/16"));
        };
        all["rss loopback " + verb] = [=](World& world) {
            return peak(world, floor, "loopback", verb, R"({"cniVersion":"1.0.0","name":"lo","type":"loopback"})");
        };
        all["range " + verb] = [=](World& world) { return world.call({"portmap", verb, world.memory["range"]}); };
        all["200 ports " + verb] = [=](World& world) {
            return world.call({"portmap", verb, portmap_config(result_for(50), 30000, 200), "many"});
        };
        all["one bridge " + verb] = [=](World& world) { return world.call_all(crowd(verb, false)); };
        all["own bridges " + verb] = [=](World& world) { return world.call_all(crowd(verb, true)); };
        for (const int size : fewer_calls)
            all[text(size) + " at once " + verb] = [=](World& world) {
                return world.call_all(crowd(verb, false, size));
            };
        for (const int mappings : {500, 2000, 10000})
            all["map " + text(mappings) + " " + verb] = map_ports(mappings, verb);
    }
    all["crowd"] = make_crowd;
    all["duplicates"] = duplicates;
    all["foreign"] = [](World& world) { return foreign_ruleset(world, 200000, 1000000); };
    all["foreign small"] = [](World& world) { return foreign_ruleset(world, 20000, 100000); };
    all["no foreign"] = [](World&) { return sh("nft delete table ip foreign"), Sample{}; };
    for (const int leases : {0, 1000, 10000, 60000})
        add_pool(all, "pool" + text(leases), "10.20.0.0/16", leases, false);
    add_pool(all, "poolfull", "10.20.0.0/16", 65533 - 10, false);
    add_pool(all, "poolsix", "fd20::/64", 60000, true);
    all["first address"] = [](World&) { // the one that portmap's config and the floor program know
        return sh("rm -f /var/lib/cni/networks/bench/last_reserved_ip.*"), Sample{};
    };
    all["state"] = [](World&) {
        sh("(ip -o link | sed -E 's/^[0-9]+: //; s,link/ether [0-9a-f:]+,,; s/@if[0-9]+//' | sort; ip -n c1 -o addr | "
           "grep -v fe80 | sed -E 's/^[0-9]+: //' | sort; ip -n c1 route; ip -n c1 -6 route | grep -v fe80; nft list "
           "ruleset; ls /var/lib/cni/networks/bench) > /tmp/cnative-bench-state");
        return Sample{};
    };
    all["trace"] = trace;
    all["busy host"] = make_busy_host;
    all["idle host"] = make_idle_host;
    add_traffic(all);
    return all;
}

} // namespace bench
