// SPDX-License-Identifier: Apache-2.0
// bridge: joins a container to a Linux bridge on the host by a veth pair, gives it what its IPAM plugin leased,
// and makes the host its gateway and masquerader where the config says so. README.md documents every key.

#include <cerrno>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <net/if.h>
#include <sys/random.h>

#include "check.h"
#include "cni/run.h"
#include "config.h"
#include "endpoint/forwarding.h"
#include "endpoint/host_veth.h"
#include "endpoint/port.h"
#include "endpoint/sandbox.h"
#include "gateway.h"
#include "ipam/configure.h"
#include "ipam/delegate.h"
#include "netlink/rtnl.h"
#include "netns/netns.h"
#include "nftables/legacy.h"
#include "nftables/masquerade.h"
#include "nftables/socket.h"
#include "nftables/spoofcheck.h"
#include "os/log.h"
#include "os/sysctl.h"
#include "os/text.h"
#include "vlan.h"
#include "vlan_gateway.h"

namespace {

using bridge::Config;

// The kernel's BR_MAX_PORTS is 1024 and port number 0 is never given.
constexpr std::size_t most_ports = 1023;

inet::Mac random_mac() {
    inet::Mac mac;
    (void)!getrandom(mac.bytes.data(), mac.bytes.size(), 0);
    mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfeU) | 0x02U); // unicast, locally administered
    return mac;
}

netlink::Link create_bridge(netlink::Rtnl& host, const Config& config) {
    if (const std::string missing = bridge::missing_vlan_support(host, config); !missing.empty())
        throw cni::Error(os::cat("failed to create bridge ", os::quote(config.bridge), ": ", missing));
    try {
        // Not created: another ADD was faster, its bridge is as good.
        (void)host.create_bridge(
            {.name = config.bridge, .mtu = config.mtu, .mac = random_mac(), .vlan_filtering = config.vlans.filtering});
    } catch (const netlink::Error& error) {
        throw cni::Error(os::cat("failed to create bridge ", os::quote(config.bridge), ": could not add ",
                                 os::quote(config.bridge), ": ", os::errno_text(error.err())));
    }
    const auto link = host.find_link(config.bridge);
    if (!link)
        throw cni::Error(os::cat("could not lookup ", os::quote(config.bridge), ": Link not found"));
    return *link;
}

void make_promiscuous(netlink::Rtnl& host, const netlink::Link& bridge) {
    try {
        host.set_promisc(bridge.index, true);
    } catch (const netlink::Error& error) {
        throw cni::Error(os::cat("failed to create bridge ", os::quote(bridge.name),
                                 ": could not set promiscuous mode on ", os::quote(bridge.name), ": ",
                                 os::errno_text(error.err())));
    }
}

netlink::Link ensure_bridge(netlink::Rtnl& host, const Config& config) {
    const auto existing = host.find_link(config.bridge);
    netlink::Link link = existing ? *existing : create_bridge(host, config);
    if (link.kind != "bridge")
        throw cni::Error(os::cat("failed to create bridge ", os::quote(config.bridge), ": ", os::quote(config.bridge),
                                 " already exists but is not a bridge"));
    if (config.promisc && (link.flags & IFF_PROMISC) == 0)
        make_promiscuous(host, link);
    endpoint::ignore_router_advertisements(config.bridge);
    if (!link.is_up())
        host.set_up(link.index);
    return link;
}

// The veth pair; its host end is a port of the bridge already when it appears.
endpoint::Veth join_bridge(netlink::Rtnl& host, const netns::Netns& sandbox, const cni::Invocation& call,
                           const Config& config, const netlink::Link& bridge, os::Undo& undo) {
    try {
        return endpoint::create_veth(
            host, sandbox, call,
            {.master = static_cast<int>(bridge.index), .mtu = config.mtu, .container_mac = config.mac}, undo);
    } catch (const netlink::Error& error) {
        if (error.err() != EXFULL)
            throw;
        throw cni::Error(
            os::cat("failed to connect container ", call.container_id, " to bridge ", bridge.name,
                    ": the bridge is full, it has ", most_ports,
                    " ports, which is the most the kernel allows; use another bridge for more containers"));
    }
}

void start_port(netlink::Rtnl& host, const cni::Invocation& call, const Config& config, const std::string& host_veth,
                const netlink::BridgeVlans& of_bridge) {
    endpoint::ignore_router_advertisements(host_veth);
    if (config.hairpin || config.port_isolation || config.vlans.any()) {
        const netlink::Link link = endpoint::require_link(host, host_veth);
        if (config.hairpin || config.port_isolation)
            host.set_port(link.index, {.hairpin = config.hairpin, .isolated = config.port_isolation});
        if (config.vlans.any())
            bridge::tag_port(host, link, of_bridge, config.vlans);
    }
    host.set_alias(host_veth, endpoint::pending_alias_of(call.owner()), true);
}

// Neighbours learn a re-used address from our announcement, so it must not get lost in a port that does not
// forward yet; setting the MAC it has makes the kernel send gratuitous ARP and unsolicited advertisements.
void announce(netlink::Rtnl& container, const netlink::Link& link) {
    container.set_mac(link.index, link.mac);
}

// Best effort, as with the Go suite: what does not succeed is told.
void prepare_container_sysctls(const Config& config, const std::string& ifname) {
    const std::string v6 = os::cat("ipv6/conf/", ifname, "/");
    const auto prefer = [](const std::string& key, std::string_view value) {
        if (!os::try_net_sysctl(key, value) && os::read_net_sysctl(key).value_or(std::string(value)) != value)
            os::warn(os::cat(os::net_sysctl_path(key), " could not be set to ", value));
    };
    if (config.enable_dad)
        prefer(v6 + "enhanced_dad", "1");
    prefer(v6 + "accept_dad", config.enable_dad ? "1" : "0");
    prefer(v6 + "ndisc_notify", "1");
    prefer(os::cat("ipv4/conf/", ifname, "/arp_notify"), "1");
}

void forget_neighbours(netlink::Rtnl& host, const netlink::Link& gateway, const cni::Result& result) {
    for (const cni::IpConfig& ip : result.ips)
        host.delete_neighbour(gateway.index, ip.address.address);
}

// `leftovers`: an ADD of this container was killed before; its elements may be for another address.
void masquerade(const cni::Invocation& call, const cni::Result& result, bool leftovers, os::Undo& undo) {
    undo.push("masquerade", [owner = call.owner()] {
        nft::Socket socket;
        nft::remove_masquerade(socket, owner, {});
    });
    nft::Socket socket;
    if (leftovers)
        nft::remove_masquerade(socket, call.owner(), {});
    nft::add_masquerade(socket, call.owner(), result.addresses());
}

void guard_mac(const cni::Invocation& call, const std::string& host_veth, const inet::Mac& mac, os::Undo& undo) {
    undo.push("MAC spoof check", [owner = call.owner(), host_veth] {
        nft::Socket socket;
        nft::remove_spoof_check(socket, owner, host_veth);
    });
    nft::Socket socket;
    cni::prefixed("failed to setup spoof-check: ", [&] {
        try {
            nft::add_spoof_check(socket, call.owner(), host_veth, mac);
        } catch (const os::Error& error) {
            throw cni::Error(error.what());
        }
    });
}

// What the runtime is told: bridge, host end, container end, in this order (the addresses' index 2).
void list_interfaces(cni::Result& result, const cni::Invocation& call, const netlink::Link& bridge,
                     const std::string& host_veth, const netlink::Link& container) {
    result.interfaces = {{.name = bridge.name, .mac = bridge.mac.text()},
                         {.name = host_veth},
                         {.name = call.ifname, .mac = container.mac.text(), .sandbox = call.netns}};
}

// The link that carries the gateway addresses; the one of a VLAN is told behind the others.
netlink::Link gateway_link(netlink::Rtnl& host, const netlink::Link& bridge, const netlink::BridgeVlans& of_bridge,
                           const Config& config, std::span<const inet::Prefix> gateways, cni::Result& result) {
    if (config.vlans.vlan == 0 || gateways.empty())
        return bridge;
    netlink::Link gateway = bridge::ensure_vlan_gateway(host, bridge, of_bridge, config);
    result.interfaces.push_back({.name = gateway.name, .mac = gateway.mac.text()});
    return gateway;
}

// Until the host end forwards and the bridge has its carrier, frames get lost. The MACs told are those of that moment:
// a bridge that somebody made without one takes its lowest port's.
void wait_until_connected(netlink::Rtnl& host, const Config& config, const netlink::Link& bridge, cni::Result& result) {
    const std::string& name = result.interfaces[1].name;
    const netlink::Link port = config.disable_container_interface ? host.find_link(name).value_or(netlink::Link())
                                                                  : endpoint::wait_for_port(host, name);
    result.interfaces[1].mac = port.mac.text();
    result.interfaces[0].mac = endpoint::wait_for_bridge(host, bridge, port).mac.text();
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const Config config = bridge::parse(call);
    const netns::Netns sandbox = endpoint::open_sandbox(call);
    const ipam::Delegate delegate(call, config.net.ipam_type);

    netlink::Rtnl host;
    const netlink::Link bridge = ensure_bridge(host, config);
    const netlink::BridgeVlans of_bridge = bridge::look_up_vlans(host, bridge, config);
    const endpoint::Veth veth = join_bridge(host, sandbox, call, config, bridge, undo);
    std::optional<ipam::Pending> lease;
    if (config.layer3()) {
        lease.emplace(delegate.start_add(undo));   // runs beside the next steps
        endpoint::undo_veth(undo, veth.host_name); // an address is free only once nobody wears it
    }
    start_port(host, call, config, veth.host_name, of_bridge);

    netlink::Rtnl container = netlink::Rtnl::in(sandbox);
    const netlink::Link end = endpoint::require_link(container, call.ifname);
    if (config.mac_spoof_check)
        guard_mac(call, veth.host_name, end.mac, undo);

    cni::Result result = lease ? lease->wait() : cni::Result();
    const std::vector<inet::Prefix> gateways = bridge::complete_gateways(config, result);
    list_interfaces(result, call, bridge, veth.host_name, end);
    if (config.layer3()) {
        const netns::Entered inside(sandbox);
        prepare_container_sysctls(config, call.ifname);
        ipam::configure(container, end, result, {.dad = config.enable_dad});
    } else if (!config.disable_container_interface) {
        container.set_up(end.index);
    }
    const netlink::Link gateway = gateway_link(host, bridge, of_bridge, config, gateways, result);
    bridge::add_gateways(host, gateway, config, gateways);
    if (config.ip_masq)
        masquerade(call, result, veth.rebuilt || lease->reclaimed(), undo);
    if (config.ip_masq && gateway.kind == "veth")
        bridge::warn_of_bridge_netfilter(gateways);
    forget_neighbours(host, gateway, result);

    wait_until_connected(host, config, bridge, result);
    if (config.layer3())
        announce(container, end);
    if (config.net.dns_set)
        result.dns = config.net.dns;
    endpoint::finish_at_commit(undo, std::move(host), veth.host_name, call.owner());
    return result;
}

// The attachment's link. The host end is ours by name; one that the Go suite made is found from the container.
void remove_link(netlink::Rtnl& host, const cni::Invocation& call, std::optional<netlink::Link> host_end) {
    if (!host_end)
        host_end = endpoint::find_host_veth(host, call.owner()); // the first look may have failed
    if (host_end) {
        host.delete_link(host_end->index);
        return;
    }
    const auto sandbox = netns::Netns::find(call.netns);
    if (!sandbox)
        return;
    netlink::Rtnl container = netlink::Rtnl::in(*sandbox);
    const auto link = container.find_link(call.ifname);
    if (link && !endpoint::is_of_other(host, *link, call.owner()))
        container.delete_link(call.ifname);
}

std::vector<inet::Address> known_addresses(const cni::Invocation& call) {
    std::vector<inet::Address> known;
    if (const auto previous = call.prev_result_leniently()) {
        for (const cni::IpConfig& ip : previous->ips)
            known.push_back(ip.address.address);
    }
    return known;
}

// What the Go suite made for this attachment, before this host was moved to our plugins.
void remove_legacy(nft::Socket& nftables, const cni::Invocation& call, std::span<const inet::Address> known,
                   cni::Errors& errors) {
    errors.collect(
        [&] { nft::remove_legacy_masquerade(nftables, call.network, call.container_id, call.ifname, known); });
    errors.collect([&] { nft::remove_legacy_spoof_check(nftables, call.container_id, call.ifname); });
}

// Order: nftables, then the link, then the lease: an address is free only once nobody wears it.
void del(const cni::Invocation& call) {
    cni::Errors errors;
    std::optional<nft::Socket> nftables;
    netlink::Rtnl host;
    const std::string owner = call.owner();
    std::optional<netlink::Link> host_end;
    errors.collect([&] { host_end = endpoint::find_host_veth(host, owner); });
    const std::string host_veth = host_end ? host_end->name : endpoint::host_veth_name(owner);
    std::vector<inet::Address> known;
    errors.collect([&] {
        known = known_addresses(call);
        nft::remove_masquerade(nftables.emplace(), owner, known, bridge::ip_masq_leniently(call));
    });
    if (nftables) {
        errors.collect([&] { nft::remove_spoof_check(*nftables, owner, host_veth); });
        remove_legacy(*nftables, call, known, errors);
    }
    errors.collect([&] { remove_link(host, call, std::move(host_end)); });
    errors.collect([&] { ipam::Delegate(call, bridge::ipam_type_leniently(call)).del(); });
    errors.throw_if_any();
}

void check(const cni::Invocation& call) {
    const Config config = bridge::parse_keys(call);
    const netns::Netns sandbox = endpoint::open_sandbox(call);
    ipam::Delegate(call, config.net.ipam_type).check();
    bridge::check_endpoint(call, config, sandbox);
}

void gc(const cni::Invocation& call) {
    const auto is_stale = call.stale_owners();
    cni::Errors errors;
    std::optional<nft::Socket> nftables;
    errors.collect([&] { nft::gc_masquerade(nftables.emplace(), is_stale); });
    if (nftables)
        errors.collect([&] { nft::gc_spoof_check(*nftables, is_stale); });
    errors.collect([&] {
        netlink::Rtnl host;
        endpoint::gc_links(host, "veth", call);
    });
    errors.collect([&] { ipam::Delegate(call, bridge::ipam_type_leniently(call)).gc(); });
    errors.throw_if_any();
}

void status(const cni::Invocation& call) {
    const Config config = bridge::parse_keys(call);
    netlink::Rtnl host;
    for (const auto& [kind, option] : {std::pair("bridge", "CONFIG_BRIDGE"), std::pair("veth", "CONFIG_VETH")}) {
        if (!host.supports_kind(kind))
            throw cni::Error(cni::Code::not_available,
                             os::cat("the kernel cannot make ", kind, " links: it needs ", option));
    }
    if (const std::string missing = bridge::missing_vlan_support(host, config); !missing.empty())
        throw cni::Error(cni::Code::not_available, missing);
    if (config.ip_masq || config.mac_spoof_check) {
        if (const std::string missing = nft::missing_support(); !missing.empty())
            throw cni::Error(cni::Code::not_available, missing);
    }
    if (const auto link = host.find_link(config.bridge)) {
        if (link->kind != "bridge")
            throw cni::Error(cni::Code::not_available,
                             os::cat(os::quote(config.bridge),
                                     " already exists but is not a bridge: rename it or choose "
                                     "another name for the key \"bridge\""));
        if (host.count_ports(link->index) >= most_ports)
            throw cni::Error(cni::Code::not_available,
                             os::cat("bridge ", config.bridge, " is full: it has ", most_ports,
                                     " ports, which is the most the kernel allows; use another bridge"));
    }
    ipam::Delegate(call, config.net.ipam_type).status();
}

} // namespace

int main(int argc, char** argv) {
    return cni::run(
        {.name = "bridge",
         .add = add,
         .del = del,
         .check = check,
         .gc = gc,
         .status = status,
         .licences = "Apache-2.0; contains libnftnl (GPL-2.0-or-later), libnl (LGPL-2.1), libmnl (LGPL-2.1-or-later), "
                     "JSON for Modern C++ (MIT): conveyed under the terms of GPL-3.0"},
        argc, argv);
}
