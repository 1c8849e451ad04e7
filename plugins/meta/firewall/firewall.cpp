// SPDX-License-Identifier: Apache-2.0
// firewall: lets the traffic of containers through whatever the host's own rules drop, and keeps bridges apart when
// asked to. README.md has the keys.

#include <algorithm>
#include <array>

#include "cni/run.h"
#include "config.h"
#include "netlink/rtnl.h"
#include "nftables/accepted.h"
#include "nftables/iptables_forward.h"
#include "nftables/legacy.h"
#include "nftables/masquerade.h"
#include "nftables/transaction.h"
#include "os/log.h"
#include "os/text.h"
#include "zone.h"

using firewall::Config;
using Addresses = std::vector<inet::Address>;

namespace {

constexpr std::array<std::string_view, 3> versions{"0.4.0", "1.0.0", "1.1.0"};

/// For the containers of an IP version: whether packets pass through a FORWARD chain of iptables, or may some day.
struct Forward {
    inet::Family family{};
    bool is_there = false;
};

bool uses(const Addresses& addresses, inet::Family family) {
    return std::ranges::any_of(addresses, [&](const inet::Address& a) { return a.family() == family; });
}

// A host may begin to filter by iptables with containers on it (ufw, Docker), so what lets this one through is made
// before. What is there lets all containers through: its rules may have been flushed since their ADD.
std::vector<Forward> forwards(nft::Socket& nftables, const Addresses& addresses, const Config& config,
                              bool has_firewalld) {
    std::vector<Forward> found;
    for (const inet::Family family : {inet::Family::v4, inet::Family::v6}) {
        const bool is_there = nft::iptables_forward(nftables, family, config.admin_chain);
        const bool may_come = uses(addresses, family) && !has_firewalld;
        if (!is_there && may_come && nft::iptables_legacy(family))
            os::warn("the rules of iptables-legacy are out of reach: what they drop of containers stays dropped; use "
                     "iptables-nft, or let them accept the containers' subnet");
        else if (is_there || may_come)
            found.push_back({.family = family, .is_there = is_there});
    }
    return found;
}

void let_through_iptables(nft::Socket& nftables, const Forward& forward, const Config& config) {
    try {
        nft::let_through_iptables(nftables, forward.family, config.admin_chain);
    } catch (const nft::Error& error) {
        if (forward.is_there)
            throw;
        os::warn(os::cat("nothing is done in advance for iptables, which may come to filter here: ", error.what()));
    }
}

// There is nobody to tell when firewalld has gone: its zones have gone with it.
void leave_zone(const Config& config, const Addresses& addresses) {
    Config present = config;
    if (present.firewalld == firewall::Firewalld::always)
        present.firewalld = firewall::Firewalld::if_running;
    auto zone = addresses.empty() ? std::nullopt : firewall::Zone::open(present);
    for (const inet::Address& address : addresses) {
        if (zone)
            zone->remove(address);
    }
}

Addresses addresses_in(const std::vector<nft::Element>& elements) {
    Addresses addresses;
    for (const nft::Element& element : elements)
        addresses.push_back(nft::address_of(element));
    return addresses;
}

/// What an earlier ADD of this attachment, which nobody undid, let through besides.
void forget_others(nft::Socket& nftables, const Config& config, const std::string& owner, const Addresses& wanted) {
    auto others = nft::find_accepted(nftables, owner, wanted);
    std::erase_if(others, [&](const nft::Element& element) {
        return std::ranges::find(wanted, nft::address_of(element)) != wanted.end();
    });
    leave_zone(config, addresses_in(others));
    nft::remove_owned(nftables, nft::shared_table(), std::move(others), owner);
}

/// By which the bridge's containers are routed.
const std::string& routed_by(const firewall::IngressPolicy& ingress) {
    return ingress.vlan_gateway.empty() ? ingress.bridge : ingress.vlan_gateway;
}

/// The gateway of a VLAN is a veth whose other end is a port of the bridge, unless somebody made another one.
nft::Isolation isolation_of(const cni::Invocation& call, const firewall::IngressPolicy& ingress) {
    nft::Isolation isolation{.ports = ingress.ports, .gateway_port = {}, .network = call.network};
    if (isolation.ports.empty() || ingress.vlan_gateway.empty())
        return isolation;
    netlink::Rtnl host;
    const auto bridge = host.find_link(ingress.bridge), gateway = host.find_link(ingress.vlan_gateway);
    const auto port = gateway ? host.find_other_end(*gateway) : std::nullopt;
    if (bridge && port && port->master == static_cast<int>(bridge->index))
        isolation.gateway_port = port->name;
    return isolation;
}

void let_through(const cni::Invocation& call, const Config& config, const firewall::IngressPolicy& ingress,
                 bool has_firewalld) {
    const Addresses addresses = firewall::addresses_of(config.prev_result);
    try {
        nft::Socket nftables;
        nft::set_ingress(nftables, call.network, routed_by(ingress), ingress.policy);
        if (const nft::Isolation isolation = isolation_of(call, ingress); !isolation.ports.empty())
            nft::isolate_ports(nftables, call.owner(), isolation);
        forget_others(nftables, config, call.owner(), addresses);
        const auto filtering = forwards(nftables, addresses, config, has_firewalld);
        if (!addresses.empty())
            nft::add_accepted(nftables, call.owner(), addresses, !filtering.empty());
        for (const Forward& forward : filtering)
            let_through_iptables(nftables, forward, config);
    } catch (const nft::Error& error) {
        throw cni::Error(os::cat("unable to set up nftables rules for forwarded traffic: ", error.what()));
    }
}

/// The elements go last: they tell a later call what the zone still has. A zone may have more than they say (the Go
/// suite's), but not what is another owner's by now.
void withdraw_addresses(nft::Socket& nftables, const Config& config, const std::string& owner) {
    const Addresses known = firewall::addresses_of(config.prev_result);
    std::vector<nft::Element> own;
    Addresses leaving = known;
    nft::where_supported([&] {
        own = nft::find_accepted(nftables, owner, known);
        std::erase_if(leaving,
                      [&](const inet::Address& address) { return !nft::owner_of_accepted(nftables, address).empty(); });
        std::ranges::move(addresses_in(own), std::back_inserter(leaving));
    });
    leave_zone(config, leaving);
    nft::where_supported([&] { nft::remove_accepted(nftables, owner, own); });
}

/// Everything of one owner.
void withdraw(nft::Socket& nftables, const Config& config, const std::string& owner) {
    cni::Errors errors;
    errors.collect([&] {
        nft::where_supported([&] { nft::release_ports(nftables, owner, firewall::ports_of(config.prev_result)); });
    });
    errors.collect([&] { withdraw_addresses(nftables, config, owner); });
    errors.throw_if_any();
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const Config config = firewall::parse(call);
    if (!config.prev_result)
        throw cni::Error("missing prevResult from earlier plugin");
    const firewall::IngressPolicy ingress = firewall::ingress_of(config);

    auto zone = firewall::Zone::open(config);

    undo.push("firewall rules", [call, config] {
        nft::Socket nftables;
        withdraw(nftables, config, call.owner());
    });
    let_through(call, config, ingress, zone.has_value());
    for (const inet::Address& address : firewall::addresses_of(config.prev_result)) {
        if (zone)
            zone->add(address);
    }
    return *config.prev_result;
}

void del(const cni::Invocation& call) {
    const Config config = firewall::parse_leniently(call);
    nft::Socket nftables;
    cni::Errors errors;
    errors.collect([&] { withdraw(nftables, config, call.owner()); });
    // What the Go suite made, before this host was moved to our plugins.
    errors.collect([&] { nft::remove_legacy_firewall(nftables, firewall::addresses_of(config.prev_result)); });
    errors.throw_if_any();
}

std::vector<std::string> missing(const cni::Invocation& call, const Config& config) {
    const firewall::IngressPolicy ingress = firewall::ingress_of(config);
    const Addresses addresses = firewall::addresses_of(config.prev_result);
    nft::Socket nftables;
    std::vector<inet::Family> filtered;
    for (const inet::Family family : {inet::Family::v4, inet::Family::v6}) {
        if (uses(addresses, family) && nft::iptables_forward(nftables, family, config.admin_chain))
            filtered.push_back(family);
    }
    auto faults = nft::missing_accepted(nftables, call.owner(), addresses, !filtered.empty());
    for (const inet::Family family : filtered)
        std::ranges::move(nft::missing_in_iptables(nftables, family, config.admin_chain), std::back_inserter(faults));
    if (std::string fault = nft::missing_ingress(nftables, routed_by(ingress), ingress.policy); !fault.empty())
        faults.push_back(std::move(fault));
    if (std::string fault = nft::missing_isolation(nftables, call.owner(), isolation_of(call, ingress)); !fault.empty())
        faults.push_back(std::move(fault));
    if (auto zone = firewall::Zone::open(config)) {
        for (const inet::Address& address : addresses) {
            if (!zone->has(address))
                faults.push_back(os::cat(address.text(), " is not in firewalld's zone ", config.zone));
        }
    }
    return faults;
}

void check(const cni::Invocation& call) {
    const Config config = firewall::parse(call);
    if (!config.prev_result)
        throw cni::Error("missing prevResult from earlier plugin");
    if (const std::vector<std::string> faults = missing(call, config); !faults.empty())
        throw cni::Error(os::join(faults, "; "));
}

void gc(const cni::Invocation& call) {
    const Config config = firewall::parse_leniently(call);
    const auto is_stale = call.stale_owners();
    nft::Socket nftables;
    std::vector<nft::Element> stale;
    nft::where_supported([&] { stale = nft::list_accepted(nftables, is_stale); });
    cni::Errors errors;
    errors.collect([&] { nft::gc_ports(nftables, is_stale); });
    errors.collect([&] { leave_zone(config, addresses_in(stale)); });
    errors.collect([&] { nft::gc_accepted(nftables, is_stale); });
    errors.throw_if_any();
}

void status(const cni::Invocation& call) {
    const Config config = firewall::parse(call);
    if (const std::string lacking = nft::missing_support(); !lacking.empty())
        throw cni::Error(cni::Code::not_available, lacking);
    try {
        if (auto zone = firewall::Zone::open(config))
            zone->require();
    } catch (const cni::Error& error) {
        throw cni::Error(cni::Code::not_available, error.message());
    } catch (const dbus::Error& error) {
        throw cni::Error(cni::Code::not_available, error.what());
    }
}

} // namespace

int main(int argc, char** argv) {
    return cni::run({.name = "firewall",
                     .add = add,
                     .del = del,
                     .check = check,
                     .gc = gc,
                     .status = status,
                     .versions = versions,
                     .licences = "Apache-2.0; contains libnftnl (GPL-2.0-or-later), libnl (LGPL-2.1), libmnl "
                                 "(LGPL-2.1-or-later), JSON for Modern C++ (MIT): conveyed under the terms of GPL-3.0"},
                    argc, argv);
}
