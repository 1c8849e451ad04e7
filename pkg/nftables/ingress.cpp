// SPDX-License-Identifier: Apache-2.0
#include "nftables/ingress.h"

#include <cerrno>
#include <optional>
#include <vector>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/intact.h"
#include "nftables/masquerade.h"
#include "nftables/owned.h"
#include "os/log.h"
#include "os/text.h"

namespace nft {

namespace {

constexpr const char* apart = "apart";
constexpr const char* own = "apart_own";
constexpr const char* isolated = "apart_isolated";
constexpr const char *ports_set = "isolated", *gateways = "gateway_ports"; // of table bridge cnative

Fragment fragment() {
    const Selectors way = {Selector::iifname, Selector::oifname};
    const std::vector<Field> pair = {Field::ifname, Field::ifname};
    return {
        .name = "ingress",
        .table = shared_table(),
        .sets = {{.name = apart, .key = {Field::ifname}}, {.name = own, .key = pair}, {.name = isolated, .key = pair}},
        .chains = {{.name = "ingress",
                    .hook = Hook{.type = "filter", .number = NF_INET_FORWARD, .priority = NF_IP_PRI_FILTER},
                    .rules = {Rule("ingress").in_set(way, isolated).drop(), Rule("ingress")
                                                                                .in_set({Selector::iifname}, apart)
                                                                                .in_set({Selector::oifname}, apart)
                                                                                .in_set(way, own, true)
                                                                                .drop()}}}};
}

// Nobody's in particular: the comment tells who asked first, as far as nft takes comments.
std::string asked_by(std::string_view network) {
    constexpr std::size_t longest = 128;
    return std::string(network.substr(0, longest));
}

std::vector<Element> elements(std::string_view network, const std::string& bridge, Ingress policy) {
    Element single{.set = apart, .owner = asked_by(network)}, pair{.set = own, .owner = asked_by(network)};
    append_ifname(single.key, bridge);
    append_ifname(pair.key, bridge);
    append_ifname(pair.key, bridge);
    std::vector<Element> wanted = {single, pair};
    if (policy == Ingress::isolated) {
        pair.set = isolated;
        wanted.push_back(pair);
    }
    return wanted;
}

Fragment ports_fragment() {
    // Packets that br_netfilter took along at 0 come back behind it, to the hooks above 0 alone.
    constexpr std::int32_t behind_br_netfilter = NF_BR_PRI_BRNF + 1;
    const auto drop = [](Selector port, Selector other) {
        return Rule("isolated_frames").in_set({port}, ports_set).in_set({other}, gateways, true).drop();
    };
    return {.name = "isolation",
            .table = {.family = NFPROTO_BRIDGE, .name = "cnative"},
            .sets = {{.name = ports_set, .key = {Field::ifname}}, {.name = gateways, .key = {Field::ifname}}},
            .chains = {
                {.name = "isolated_frames",
                 .hook = Hook{.type = "filter", .number = NF_BR_FORWARD, .priority = behind_br_netfilter},
                 .rules = {drop(Selector::iifname, Selector::oifname), drop(Selector::oifname, Selector::iifname)}}}};
}

// Shared by the containers of the VLAN.
std::optional<Element> gateway_element(const Isolation& isolation) {
    if (isolation.gateway_port.empty())
        return std::nullopt;
    Element element{.set = gateways, .owner = asked_by(isolation.network)};
    append_ifname(element.key, isolation.gateway_port);
    return element;
}

std::vector<Element> port_elements(const std::string& owner, std::span<const std::string> ports) {
    std::vector<Element> elements;
    for (const std::string& port : ports) {
        elements.push_back({.set = ports_set, .owner = owner});
        append_ifname(elements.back().key, port);
    }
    return elements;
}

} // namespace

void set_ingress(Socket& socket, const std::string& network, const std::string& bridge, Ingress policy) {
    if (policy == Ingress::open)
        return;
    const Fragment base = fragment();
    std::vector<Element> missing = elements(network, bridge, policy);
    // Asked for first: a batch refused for what all containers share would cost the kernel 15 ms.
    std::erase_if(missing, [&](const Element& e) { return find(socket, base.table, e.set, e.key).has_value(); });
    create_owned(socket, {.fragment = &base, .elements = std::move(missing)},
                 [](const Element&, const Element&) { return false; });
}

std::string missing_ingress(Socket& socket, const std::string& bridge, Ingress policy) {
    if (policy == Ingress::open)
        return {};
    for (const Element& wanted : elements({}, bridge, policy)) {
        if (!find(socket, shared_table(), wanted.set, wanted.key))
            return os::cat("bridge ", bridge, " is not in set ", wanted.set, " of table inet cnative");
    }
    return missing_rules(socket, fragment());
}

void isolate_ports(Socket& socket, const std::string& owner, const Isolation& isolation) {
    const Fragment base = ports_fragment();
    try {
        std::vector<Element> wanted = port_elements(owner, isolation.ports);
        const auto gateway = gateway_element(isolation);
        if (gateway && !find(socket, base.table, gateways, gateway->key))
            wanted.push_back(*gateway);
        // A port is the container's who has it now.
        create_owned(socket, {.fragment = &base, .elements = std::move(wanted)},
                     [](const Element& ours, const Element&) { return ours.set == ports_set; });
    } catch (const Error& error) {
        if (!is_unsupported(error.err()) && error.err() != ENOENT)
            throw;
        os::warn(
            "the kernel has no nftables for bridges (CONFIG_NF_TABLES_BRIDGE): containers of one bridge are isolated "
            "only while net.bridge.bridge-nf-call-iptables and -ip6tables are 1");
    }
}

void release_ports(Socket& socket, const std::string& owner, std::span<const std::string> known) {
    const Table table = ports_fragment().table;
    if (known.empty())
        remove_all_owned(socket, table, {ports_set}, [&](const std::string& other) { return other == owner; });
    else
        remove_owned(socket, table, port_elements(owner, known), owner);
}

void gc_ports(Socket& socket, const OwnerTest& is_stale) {
    remove_all_owned(socket, ports_fragment().table, {ports_set}, is_stale);
}

std::string missing_isolation(Socket& socket, const std::string& owner, const Isolation& isolation) {
    const Fragment base = ports_fragment();
    const auto wanted = port_elements(owner, isolation.ports);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto found = find(socket, base.table, ports_set, wanted[i].key);
        if (!found || found->owner != owner)
            return os::cat("port ", isolation.ports[i], " is not in set ", ports_set,
                           " of table bridge cnative for this container");
    }
    const auto gateway = gateway_element(isolation);
    if (gateway && !find(socket, base.table, gateways, gateway->key))
        return os::cat("port ", isolation.gateway_port, " is not in set ", gateways, " of table bridge cnative");
    return wanted.empty() ? std::string() : missing_rules(socket, base);
}

} // namespace nft
