// SPDX-License-Identifier: Apache-2.0
// portmap: leads ports of the host to the container that the plugins before it made. README.md has the keys.

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include <net/if.h>

#include "cni/run.h"
#include "config.h"
#include "elements.h"
#include "flows.h"
#include "home.h"
#include "netlink/rtnl.h"
#include "nftables/intact.h"
#include "nftables/legacy.h"
#include "nftables/masquerade.h"
#include "os/log.h"
#include "os/sysctl.h"
#include "os/text.h"
#include "overlaps.h"
#include "own.h"
#include "rules.h"
#include "waiting.h"

using portmap::Config;
using portmap::Targets;

namespace {

/// The device through which the host reaches an address. Not the loopback device, where an address of the host's own
/// leads: loopback addresses are at home there, and the guard would cut the host off from itself.
std::optional<std::string> device_towards(const inet::Address& address) {
    netlink::Rtnl host;
    const auto route = host.route_to(address);
    const auto link = route ? host.find_link(route->device) : std::nullopt;
    return link && (link->flags & IFF_LOOPBACK) == 0 ? std::optional(link->name) : std::nullopt;
}

/// Where loopback addresses are to be routed, and neighbours kept off them.
std::optional<std::string> guarded_device(const Config& config, const Targets& targets) {
    return config.snat && targets.v4 ? device_towards(targets.v4->address) : std::nullopt;
}

bool has(nft::Socket& nftables, const nft::Element& element) {
    return nft::find(nftables, nft::shared_table(), element.set, element.key).has_value();
}

/// Elements, and the flows they had sent to the container.
void remove(nft::Socket& nftables, const std::vector<nft::Element>& elements, const std::string& owner) {
    portmap::forget_flows_to_container(nft::remove_owned(nftables, nft::shared_table(), elements, owner));
}

/// Where the container is to be found, as long as it is there. Its veth pair goes with its namespace.
std::string home_of(const cni::Invocation& call, const cni::Result& result) {
    const std::string name = portmap::host_interface(result, call.ifname);
    std::optional<netlink::Index> host_end;
    if (!name.empty()) {
        netlink::Rtnl host;
        const auto link = host.find_link(name);
        if (link && link->kind == "veth" && link->peer_elsewhere)
            host_end = link->index;
    }
    return portmap::home_at(call.netns, host_end);
}

/// All that is to be this attachment's.
std::vector<nft::Element> wanted_elements(const cni::Invocation& call, const Config& config, const Targets& targets) {
    auto wanted = portmap::elements(config, targets, call.owner());
    wanted.push_back(portmap::record(config, targets, call.owner()));
    wanted.back().note = home_of(call, *config.prev_result);
    return wanted;
}

/// Of an earlier ADD of this attachment, which nobody undid and which had other mappings.
std::vector<nft::Element> outdated(nft::Socket& nftables, const std::vector<nft::Element>& wanted,
                                   const std::string& owner) {
    std::vector<nft::Element> own = portmap::list_own(nftables, owner);
    std::erase_if(own, [&](const nft::Element& element) {
        const auto live = portmap::as_live(element);
        return nft::contains(wanted, live.empty() ? element : live.front()) ||
               nft::same_place(element, portmap::companion_key(owner));
    });
    return own;
}

[[noreturn]] void refuse(const portmap::Mapped& ours, const nft::Element& theirs) {
    const auto name = portmap::read_owner(theirs.owner);
    const auto shared = portmap::shared_ports(ours, portmap::read_mapped(theirs).value_or(ours));
    throw cni::Error(os::cat(shared.is_range() ? "host ports " : "host port ", shared.host_side(),
                             shared.is_range() ? " are taken by " : " is taken by ",
                             name ? os::cat("container ", name->container_id, " (network ", name->network, ")")
                                  : os::cat("attachment ", theirs.owner),
                             ": remove it or choose another hostPort"));
}

/// What to do about an element in the way.
class OnTaken {
  public:
    OnTaken(nft::Socket& nftables, const cni::Invocation& call, portmap::Asker asker)
        : nftables_(&nftables), netns_(call.netns), asker_(std::move(asker)) {}

    // One container on two networks has the same mappings on both, for runtimes give them to every network that asks:
    // the first network's stay, as with the Go suite, and the others wait. An address is the container's who wears it
    // now.
    bool operator()(const nft::Element& ours, const nft::Element& theirs) {
        if (portmap::is_of_container(*nftables_, asker_, theirs.owner) && !is_cleared_away(theirs.owner))
            return false;
        const auto mapped = portmap::read_mapped(ours);
        if (mapped && !is_cleared_away(theirs.owner))
            refuse(*mapped, theirs);
        return true;
    }

  private:
    /// Whether it has nothing any more, as its network namespace is known to be gone.
    bool is_cleared_away(const std::string& owner) {
        if (std::ranges::find(cleared_away_, owner) != cleared_away_.end())
            return true;
        const auto record = portmap::find_record(*nftables_, owner);
        if (!record || !portmap::is_deserted(record->note, netns_))
            return false;
        os::warn(os::cat(owner, " never gave back its host ports, and its network namespace is gone: they are free"));
        remove(*nftables_, portmap::list_own(*nftables_, owner), owner);
        cleared_away_.push_back(owner);
        return true;
    }

    nft::Socket* nftables_;
    std::string netns_;
    portmap::Asker asker_;
    std::vector<std::string> cleared_away_;
};

void publish(const cni::Invocation& call, const Config& config, const Targets& targets,
             const std::optional<std::string>& device) {
    const nft::Fragment fragment = portmap::fragment();
    const auto elements = wanted_elements(call, config, targets);
    nft::Wanted wanted{.fragment = &fragment,
                       .subnet_rules = portmap::subnet_rules(config, targets),
                       .chains = portmap::condition_chains(config),
                       .elements = elements,
                       .find_overlaps = portmap::find_overlaps,
                       .instead = portmap::wait_behind};
    const portmap::Asker asker{.owner = call.owner(), .home = elements.back().note};
    std::vector<nft::Element> others;
    try {
        nft::Socket nftables;
        // In one batch with the new record, by which DEL knows what there is.
        const nft::AddOutdated add_outdated = [&](std::vector<nft::Element>& replaced) {
            others = outdated(nftables, elements, call.owner());
            std::ranges::copy_if(others, std::back_inserter(replaced),
                                 [&](const auto& other) { return !nft::contains(replaced, other); });
        };
        wanted.outdated = &add_outdated;
        // Asked for first: a batch refused for what all containers share would cost the kernel 15 ms.
        if (device && !has(nftables, portmap::localnet_guard(*device)))
            wanted.elements.push_back(portmap::localnet_guard(*device));
        nft::create_owned(nftables, std::move(wanted), OnTaken(nftables, call, asker));
    } catch (const nft::Error& error) {
        throw cni::Error(os::cat("unable to set up nftables rules for port mappings: ", error.what()));
    }
    portmap::forget_flows_to_container(others);
}

// Loopback addresses become routable on the device only once the guard keeps its neighbours off them.
void route_loopback(const std::string& device) {
    try {
        os::set_net_sysctl(os::cat("ipv4/conf/", device, "/route_localnet"), "1");
    } catch (const os::Error& error) {
        throw cni::Error(os::cat("unable to enable route_localnet: ", error.what()));
    }
}

void withdraw(nft::Socket& nftables, const cni::Invocation& call) {
    nft::where_supported([&] {
        const auto record = portmap::find_record(nftables, call.owner());
        if (!record)
            return;
        const bool companions = portmap::has_companions(nftables, record->owner);
        if (companions)
            portmap::forget_flows_to_container(
                portmap::hand_over(nftables, {.owner = record->owner, .home = record->note},
                                   [&](const std::string& other) { return other == record->owner; }));
        portmap::forget_flows_to_container(nft::remove_found(
            nftables, nft::shared_table(), [&] { return portmap::find_own(nftables, call, *record, companions); }));
    });
}

bool maps_nothing(const Config& config, const Targets& targets) {
    return config.mappings.empty() || (!targets.v4 && !targets.v6);
}

cni::Result add(const cni::Invocation& call, os::Undo& undo) {
    const Config config = cni::prefixed("failed to parse config: ", [&] { return portmap::parse(call); });
    if (!config.prev_result)
        throw cni::Error("must be called as chained plugin");
    const Targets targets = portmap::container_addresses(*config.prev_result, call.ifname);
    if (maps_nothing(config, targets))
        return *config.prev_result;

    undo.push("port mappings", [call] {
        nft::Socket nftables;
        withdraw(nftables, call);
    });
    const auto device = guarded_device(config, targets);
    publish(call, config, targets, device);
    if (device)
        route_loopback(*device);
    portmap::forget_flows_to_host(config.mappings, targets);
    return *config.prev_result;
}

void del(const cni::Invocation& call) {
    cni::Errors errors;
    nft::Socket nftables;
    errors.collect([&] { withdraw(nftables, call); });
    // What the Go suite made, before this host was moved to our plugins.
    errors.collect([&] { nft::remove_legacy_portmap(nftables, call.network, call.container_id); });
    errors.throw_if_any();
}

/// What is wrong with one element; empty when it is there.
std::string fault_of(nft::Socket& nftables, const std::function<portmap::Asker()>& asker, const nft::Element& wanted) {
    const auto found = nft::find(nftables, nft::shared_table(), wanted.set, wanted.key);
    if (found && found->owner != wanted.owner && portmap::is_of_container(nftables, asker(), found->owner))
        return portmap::missing_of_waiting(nftables, wanted, found->owner);
    if (found && found->owner == wanted.owner && found->key_end == wanted.key_end && found->data == wanted.data &&
        found->jump == wanted.jump)
        return {};
    const auto mapped = portmap::read_mapped(wanted);
    const std::string what = mapped ? os::cat("host port ", mapped->host_side()) : "the container's element";
    const std::string why = !found                         ? "is missing"
                            : found->owner == wanted.owner ? "leads elsewhere"
                                                           : os::cat("belongs to ", found->owner);
    return os::cat(what, " ", why, " in \"", wanted.set, "\"");
}

/// What is wrong with all that the mappings stand on, and with what DEL will find them by.
std::vector<std::string> faults_beside(nft::Socket& nftables, const cni::Invocation& call, const Config& config,
                                       const Targets& targets) {
    std::vector<std::string> faults = {
        nft::missing_rules(nftables, portmap::fragment(), portmap::condition_chains(config)),
        portmap::missing_record(nftables, portmap::record_key(call.owner()))};
    for (const nft::SubnetRule& rule : portmap::subnet_rules(config, targets))
        faults.push_back(nft::missing_subnet(nftables, nft::shared_table(), rule));
    const auto device = guarded_device(config, targets);
    if (device && !has(nftables, portmap::localnet_guard(*device)))
        faults.push_back(os::cat(*device, " is not in set localnet of table inet cnative"));
    std::erase(faults, std::string());
    return faults;
}

void check(const cni::Invocation& call) {
    const Config config = portmap::parse(call);
    if (!config.prev_result)
        throw cni::Error("Required prevResult missing");
    const Targets targets = portmap::container_addresses(*config.prev_result, call.ifname);
    if (maps_nothing(config, targets))
        return;
    nft::Socket nftables;
    std::vector<std::string> faults = faults_beside(nftables, call, config, targets);
    const auto asker = [&] {
        return portmap::Asker{.owner = call.owner(), .home = home_of(call, *config.prev_result)};
    };
    // Ports that share some with the container's other network wait as a whole, and their conditions with them.
    const auto waiting =
        !portmap::has_companions(nftables, call.owner())
            ? std::vector<nft::Element>()
            : portmap::waiting_places(nftables, asker(), portmap::waiting_keys(config, targets, call.owner()));
    for (const nft::Element& element : portmap::elements(config, targets, call.owner())) {
        if (nft::contains(waiting, element))
            continue;
        if (std::string fault = fault_of(nftables, asker, element); !fault.empty())
            faults.push_back(std::move(fault));
    }
    if (!faults.empty())
        throw cni::Error(
            os::cat("port mappings of container ", call.container_id, " are not in place: ", os::join(faults, "; ")));
}

/// What one owner leaves to the other networks of its container.
void hand_over_all(nft::Socket& nftables, const std::vector<nft::Element>& leaving, const nft::OwnerTest& is_leaving) {
    const std::string& owner = leaving.front().owner;
    if (!nft::contains(leaving, portmap::companion_key(owner)))
        return;
    const auto record = portmap::find_record(nftables, owner);
    portmap::forget_flows_to_container(
        portmap::hand_over(nftables, {.owner = owner, .home = record ? record->note : std::string()}, is_leaving));
}

void gc(const cni::Invocation& call) {
    const auto is_stale = call.stale_owners();
    cni::Errors errors;
    nft::Socket nftables;
    std::map<std::string, std::vector<nft::Element>> stale; // by owner
    const auto collect = [&](const std::string& set) {
        for (nft::Element& element : nft::list(nftables, nft::shared_table(), set)) {
            if (is_stale(element.owner))
                stale[element.owner].push_back(std::move(element));
        }
    };
    for (const std::string& set : portmap::owned_sets())
        errors.collect([&] { nft::where_supported([&] { collect(set); }); });
    for (const auto& one : stale) // clang 14 cannot capture the two by their names
        errors.collect([&] {
            hand_over_all(nftables, one.second, is_stale);
            remove(nftables, one.second, one.first);
        });
    errors.throw_if_any();
}

void status(const cni::Invocation& call) {
    (void)portmap::parse(call);
    if (const std::string lacking = nft::missing_support(); !lacking.empty())
        throw cni::Error(cni::Code::not_available, lacking);
}

} // namespace

int main(int argc, char** argv) {
    return cni::run(
        {.name = "portmap",
         .add = add,
         .del = del,
         .check = check,
         .gc = gc,
         .status = status,
         .licences = "Apache-2.0; contains libnftnl (GPL-2.0-or-later), libnl (LGPL-2.1), libmnl (LGPL-2.1-or-later), "
                     "JSON for Modern C++ (MIT): conveyed under the terms of GPL-3.0"},
        argc, argv);
}
