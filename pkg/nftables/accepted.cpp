// SPDX-License-Identifier: Apache-2.0
#include "nftables/accepted.h"

#include <utility>

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/intact.h"
#include "nftables/masquerade.h"
#include "os/hash.h"
#include "os/log.h"
#include "os/text.h"

namespace nft {

namespace {

using inet::Family;

std::string set_for(Family family) {
    return family == Family::v4 ? "accepted4" : "accepted6";
}

constexpr const char* owners_map = "accepted_owners";

std::vector<Set> sets() {
    return {{.name = set_for(Family::v4), .key = {Field::ipv4_addr}},
            {.name = set_for(Family::v6), .key = {Field::ipv6_addr}}};
}

// The containers' own traffic, the answers to it, and what comes in through a published port.
void add_matches(std::vector<Rule>& rules, Family family) {
    const bool v4 = family == Family::v4;
    const std::string set = set_for(family);
    const auto matching = [&](Selector address) { return Rule("accepted_mark").in_set({address}, set); };
    const Selector from = v4 ? Selector::ip_saddr : Selector::ip6_saddr;
    const Selector to = v4 ? Selector::ip_daddr : Selector::ip6_daddr;
    rules.push_back(matching(from).jump("accepted_sign"));
    rules.push_back(matching(to).is_answer().jump("accepted_sign"));
    rules.push_back(matching(to).was_dnatted().jump("accepted_sign"));
}

Chain forward_chain(const char* name, std::int32_t priority) {
    return {.name = name,
            .hook = Hook{.type = "filter", .number = NF_INET_FORWARD, .priority = NF_IP_PRI_FILTER + priority}};
}

std::vector<Chain> chains() {
    constexpr std::uint32_t mask = accepted_mask, mark = accepted_mark;
    Chain sign{.name = "accepted_sign", .rules = {Rule("accepted_sign").mark(0, mask).set_mark(mark, mask)}};
    Chain before = forward_chain("accepted_mark", -1), behind = forward_chain("accepted_unmark", 1);
    before.rules.push_back(Rule("accepted_mark").mark(mark, mask).set_mark(0, mask));
    add_matches(before.rules, Family::v4);
    add_matches(before.rules, Family::v6);
    behind.rules.push_back(Rule("accepted_unmark").mark(mark, mask).set_mark(0, mask));
    return {sign, before, behind};
}

Fragment fragment(bool marks) {
    Fragment fragment{.name = marks ? "accepted_marks" : "accepted", .table = shared_table(), .sets = sets()};
    fragment.sets.push_back({.name = owners_map, .key = {Field::mark, Field::mark}, .data = {Field::mark}});
    if (marks)
        fragment.chains = chains();
    return fragment;
}

Element element_for(const inet::Address& address, const std::string& owner) {
    return {.set = set_for(address.family()), .key = key_of(address), .owner = owner};
}

Element record(const std::string& owner, std::span<const inet::Address> addresses) {
    Element record{.set = owners_map, .key = key_of_owner(owner), .owner = owner};
    std::uint64_t hash = 0;
    for (const inet::Address& address : addresses)
        hash = os::hash_bytes(std::as_bytes(address.bytes()), hash);
    append_mark(record.data, static_cast<std::uint32_t>(hash));
    return record;
}

std::optional<Element> find_record(Socket& socket, const std::string& owner) {
    auto record = find(socket, shared_table(), owners_map, key_of_owner(owner));
    return record && record->owner == owner ? std::move(record) : std::nullopt;
}

} // namespace

void add_accepted(Socket& socket, const std::string& owner, std::span<const inet::Address> addresses, bool marks) {
    const Fragment base = fragment(marks);
    Wanted wanted{.fragment = &base};
    for (const inet::Address& address : addresses)
        wanted.elements.push_back(element_for(address, owner));
    wanted.elements.push_back(record(owner, addresses));
    create_owned(socket, std::move(wanted), [&](const Element&, const Element& theirs) {
        os::warn(os::cat("accepting the traffic of the same address was asked for by ", theirs.owner,
                         " too: it has gone without a DEL, or its subnet overlaps with this network's"));
        return true;
    });
}

std::vector<Element> list_accepted(Socket& socket, const OwnerTest& test) {
    std::vector<Element> found;
    for (const Set& set : sets()) {
        for (Element& element : list(socket, shared_table(), set.name)) {
            if (test(element.owner))
                found.push_back(std::move(element));
        }
    }
    return found;
}

std::vector<Element> find_accepted(Socket& socket, const std::string& owner, std::span<const inet::Address> known) {
    const auto found = find_record(socket, owner);
    if (found ? found->data != record(owner, known).data : known.empty())
        return list_accepted(socket, [&](const std::string& other) { return other == owner; });
    std::vector<Element> keys;
    for (const inet::Address& address : known)
        keys.push_back(element_for(address, owner));
    return find_owned(socket, shared_table(), keys, owner);
}

void remove_accepted(Socket& socket, const std::string& owner, std::vector<Element> elements) {
    elements.push_back(record(owner, {}));
    remove_owned(socket, shared_table(), std::move(elements), owner);
}

void gc_accepted(Socket& socket, const OwnerTest& is_stale) {
    remove_all_owned(socket, shared_table(), {set_for(Family::v4), set_for(Family::v6), owners_map}, is_stale);
}

std::string owner_of_accepted(Socket& socket, const inet::Address& address) {
    const auto element = find(socket, shared_table(), set_for(address.family()), key_of(address));
    return element ? element->owner : std::string();
}

inet::Address address_of(const Element& accepted) {
    return inet::Address::from_bytes(accepted.key).value_or(inet::Address());
}

std::vector<std::string> missing_accepted(Socket& socket, const std::string& owner,
                                          std::span<const inet::Address> addresses, bool marks) {
    std::vector<std::string> missing;
    for (const inet::Address& address : addresses) {
        const Element wanted = element_for(address, owner);
        const auto found = find(socket, shared_table(), wanted.set, wanted.key);
        if (!found)
            missing.push_back(os::cat(address.text(), " is not in set ", wanted.set, " of table inet cnative"));
        else if (found->owner != owner)
            missing.push_back(os::cat(address.text(), " belongs to ", found->owner, " in set ", wanted.set));
    }
    const auto found = find_record(socket, owner);
    if (!addresses.empty() && (!found || found->data != record(owner, addresses).data))
        missing.push_back(os::cat("the record of ", owner, " is not in map ", owners_map, " of table inet cnative"));
    const bool has_rules = marks && !addresses.empty(); // without marks there are only sets
    if (std::string rules = has_rules ? missing_rules(socket, fragment(true)) : std::string(); !rules.empty())
        missing.push_back(std::move(rules));
    return missing;
}

} // namespace nft
