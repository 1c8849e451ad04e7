// SPDX-License-Identifier: Apache-2.0
#include "nftables/masquerade.h"

#include <utility>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/intact.h"
#include "os/log.h"
#include "os/text.h"

namespace nft {

namespace {

using inet::Family;

struct Names {
    std::string set, chain, within;
};

Names names_for(Family family) {
    return family == Family::v4 ? Names{"masq4", "masquerade4", "masq_within4"}
                                : Names{"masq6", "masquerade6", "masq_within6"};
}

void declare(Fragment& fragment, Rule& entry, Family family, const inet::Prefix& multicast) {
    const Names names = names_for(family);
    const bool v4 = family == Family::v4;
    fragment.sets.push_back({.name = names.set, .key = {v4 ? Field::ipv4_addr : Field::ipv6_addr}});
    fragment.sets.push_back(subnet_ledger(names.within, family));
    entry.in_set({v4 ? Selector::ip_saddr : Selector::ip6_saddr}, names.set).jump(names.chain);
    Rule to_own(names.chain), to_many(names.chain), rest(names.chain);
    to_own.jump(names.within);
    to_many.prefix(v4 ? Selector::ip_daddr : Selector::ip6_daddr, multicast).accept();
    rest.masquerade();
    fragment.chains.push_back({.name = names.chain, .rules = {to_own, to_many, rest}});
    fragment.chains.push_back({.name = names.within, .keep_rules = true});
}

Fragment fragment() {
    Fragment fragment{.name = "masquerade", .table = shared_table()};
    Rule v4("masq"), v6("masq"); // nft could not read a chain called masquerade back
    declare(fragment, v4, Family::v4, inet::Prefix::parse("224.0.0.0/4").value());
    declare(fragment, v6, Family::v6, inet::Prefix::parse("ff00::/8").value());
    fragment.chains.push_back(
        {.name = "masq",
         .hook = Hook{.type = "nat", .number = NF_INET_POST_ROUTING, .priority = NF_IP_PRI_NAT_SRC},
         .rules = {v4, v6}});
    return fragment;
}

Element element_for(const inet::Address& address, const std::string& owner) {
    return {.set = names_for(address.family()).set, .key = key_of(address), .owner = owner};
}

SubnetRule rule_for(const inet::Prefix& address) {
    return {.chain = names_for(address.address.family()).within, .subnet = address.masked(), .verdict = Within::accept};
}

// "net/container/ifname" or "#net-…": what comes before belongs to the network.
std::string_view network_of(std::string_view owner) {
    return owner.substr(0, owner.find(owner.starts_with('#') ? '-' : '/'));
}

} // namespace

Table shared_table() {
    return {.family = NFPROTO_INET, .name = "cnative"};
}

void add_masquerade(Socket& socket, const std::string& owner, std::span<const inet::Prefix> addresses) {
    const Fragment base = fragment();
    Wanted wanted{.fragment = &base};
    for (const inet::Prefix& address : addresses) {
        wanted.subnet_rules.push_back(rule_for(address));
        wanted.elements.push_back(element_for(address.address, owner));
    }
    create_owned(socket, std::move(wanted), [&](const Element&, const Element& theirs) {
        if (network_of(theirs.owner) != network_of(owner))
            os::warn(os::cat("masquerading for the same address was asked for by ", theirs.owner,
                             " too: its subnet overlaps with this network's"));
        return true;
    });
}

void remove_masquerade(Socket& socket, const std::string& owner, std::span<const inet::Address> known, bool expected) {
    where_supported([&] {
        std::vector<Element> keys;
        for (const inet::Address& address : known)
            keys.push_back(element_for(address, owner));
        const std::size_t removed = remove_owned(socket, shared_table(), std::move(keys), owner).size();
        if (known.empty() || (expected && removed < known.size()))
            gc_masquerade(socket, [&](const std::string& other) { return other == owner; });
    });
}

void gc_masquerade(Socket& socket, const OwnerTest& is_stale) {
    remove_all_owned(socket, shared_table(), {names_for(Family::v4).set, names_for(Family::v6).set}, is_stale);
}

std::string missing_masquerade(Socket& socket, const std::string& owner, std::span<const inet::Prefix> addresses) {
    std::string missing = addresses.empty() ? std::string() : missing_rules(socket, fragment());
    for (const inet::Prefix& address : addresses) {
        const Element wanted = element_for(address.address, owner);
        if (!is_owned(socket, shared_table(), wanted))
            return os::cat("masquerading for ", address.address.text(), " is missing: set ", wanted.set,
                           " of table inet cnative has no element of this container");
        if (missing.empty())
            missing = missing_subnet(socket, shared_table(), rule_for(address));
    }
    return missing.empty() ? missing : os::cat("masquerading is not in place: ", missing);
}

} // namespace nft
