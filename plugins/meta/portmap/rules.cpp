// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nftables/masquerade.h"
#include "words.h"

namespace portmap {

namespace {

using inet::Family;
using nft::Field;
using nft::Rule;
using nft::Selector;

constexpr const char* fragment_name = "portmap";

std::string within(const Words& words) {
    return name("hairpin_within", words);
}

void add_sets(std::vector<nft::Set>& sets, const Words& words) {
    const std::vector<Field> port = {Field::inet_proto, Field::inet_service};
    const std::vector<Field> bound_port = {words.address, Field::inet_proto, Field::inet_service};
    const std::vector<Field> endpoint = {words.address, Field::inet_service};
    sets.push_back({.name = name("hostports", words), .key = port, .data = endpoint});
    sets.push_back({.name = name("hostip_hostports", words), .key = bound_port, .data = endpoint});
    sets.push_back({.name = name("conditions", words), .key = port, .data = {}, .verdicts = true});
    sets.push_back({.name = name("hostip_conditions", words), .key = bound_port, .data = {}, .verdicts = true});
    const auto add_ranges = [&](std::string_view stem, const std::vector<Field>& key, bool verdicts) {
        sets.push_back({.name = name(stem, words),
                        .key = key,
                        .data = verdicts ? std::vector<Field>() : std::vector{words.address},
                        .verdicts = verdicts,
                        .intervals = true});
    };
    add_ranges("hostranges", port, false);
    add_ranges("hostip_hostranges", bound_port, false);
    add_ranges("range_conditions", port, true);
    add_ranges("hostip_range_conditions", bound_port, true);
    sets.push_back({.name = name(waiting, words),
                    .key = {Field::mark, Field::mark, words.address, Field::inet_proto, Field::inet_service},
                    .data = endpoint});
    sets.push_back({.name = name("hairpin", words), .key = {words.address}, .data = {}});
    sets.push_back({.name = name("masq_all", words), .key = {words.address}, .data = {}});
}

// The mapping of a certain host address is looked up first, so it wins whatever came first.
void add_lookups(std::vector<Rule>& rules, const Words& words) {
    const nft::Selectors port = {Selector::l4proto, Selector::th_dport};
    const nft::Selectors bound_port = {words.daddr, Selector::l4proto, Selector::th_dport};
    const auto rule = [&] { return Rule("hostports").nfproto(words.family); };
    rules.push_back(rule().vmap(bound_port, name("hostip_conditions", words)));
    rules.push_back(rule().dnat(words.family, bound_port, name("hostip_hostports", words)));
    rules.push_back(rule().vmap(bound_port, name("hostip_range_conditions", words)));
    rules.push_back(rule().dnat_address(words.family, bound_port, name("hostip_hostranges", words)));
    rules.push_back(rule().vmap(port, name("conditions", words)));
    rules.push_back(rule().dnat(words.family, port, name("hostports", words)));
    rules.push_back(rule().vmap(port, name("range_conditions", words)));
    rules.push_back(rule().dnat_address(words.family, port, name("hostranges", words)));
}

nft::Chain lookup_chain() {
    nft::Chain chain{.name = "hostports", .hook = std::nullopt, .rules = {}};
    add_lookups(chain.rules, ipv4);
    add_lookups(chain.rules, ipv6);
    return chain;
}

inet::Prefix loopback() {
    return {.address = *inet::Address::parse("127.0.0.0"), .length = 8};
}

nft::Chain entry_chain(const std::string& chain, std::uint32_t hook) {
    return {.name = chain,
            .hook = nft::Hook{.type = "nat", .number = hook, .priority = NF_IP_PRI_NAT_DST},
            .rules = {Rule(chain).destination_is_local().jump("hostports")}};
}

// What is sent to 127.0.0.0/8 from outside comes by here before the kernel drops it as a martian; led elsewhere it
// would be none any more. The host's own packets have been through the output hook. (To ::1 nothing comes as far as
// this.)
nft::Chain prerouting_chain() {
    nft::Chain chain = entry_chain("hostports_prerouting", NF_INET_PRE_ROUTING);
    chain.rules.insert(chain.rules.begin(), Rule(chain.name).prefix(Selector::ip_daddr, loopback()).leave());
    return chain;
}

// Only answers that would not come back this way need it: from the same subnet, or to an address of every host.
nft::Chain hairpin_chain() {
    nft::Chain chain{.name = "hairpin",
                     .hook = nft::Hook{.type = "nat", .number = NF_INET_POST_ROUTING, .priority = NF_IP_PRI_NAT_SRC},
                     .rules = {}};
    const auto rule_to = [](const Words& words, std::string_view set) {
        return Rule("hairpin").was_dnatted().in_set({words.daddr}, name(set, words));
    };
    for (const Words& words : {ipv4, ipv6}) {
        chain.rules.push_back(rule_to(words, "masq_all").masquerade());
        if (words.family == Family::v4)
            chain.rules.push_back(rule_to(words, "hairpin").prefix(words.saddr, loopback()).masquerade());
        chain.rules.push_back(rule_to(words, "hairpin").jump(within(words)));
    }
    return chain;
}

// One rule a subnet, added by the first container there; kept when the other chains are renewed.
nft::Chain subnets_chain(const Words& words) {
    return {.name = within(words), .hook = std::nullopt, .rules = {}, .keep_rules = true};
}

nft::Chain localnet_chain() {
    const auto arriving = [] { return Rule("localnet").in_set({Selector::iifname}, localnet); };
    return {.name = "localnet",
            .hook = nft::Hook{.type = "filter", .number = NF_INET_PRE_ROUTING, .priority = NF_IP_PRI_RAW},
            .rules = {arriving().prefix(Selector::ip_saddr, loopback()).drop(),
                      arriving().prefix(Selector::ip_daddr, loopback()).drop()}};
}

Selector selector_of(Match::Field field, const Words& words) {
    switch (field) {
    case Match::Field::saddr:
        return words.saddr;
    case Match::Field::daddr:
        return words.daddr;
    case Match::Field::iifname:
        return Selector::iifname;
    case Match::Field::oifname:
        return Selector::oifname;
    case Match::Field::mark:
        return Selector::mark;
    case Match::Field::l4proto:
        return Selector::l4proto;
    case Match::Field::sport:
        return Selector::th_sport;
    case Match::Field::dport:
        break;
    }
    return Selector::th_dport;
}

/// Adds one comparison to a rule: one overload for each kind of value.
struct Compare {
    Rule& rule;
    Selector selector;
    bool negated;

    void operator()(const inet::Prefix& prefix) const { rule.prefix(selector, prefix, negated); }
    void operator()(const AddressRange& range) const {
        rule.range(selector, nft::key_of(range.first), nft::key_of(range.last), text(range), negated);
    }
    void operator()(const PortRange& range) const {
        nft::Bytes first, last;
        nft::append_port(first, range.first);
        nft::append_port(last, range.last);
        if (first == last)
            rule.equals(selector, first, text(range), negated);
        else
            rule.range(selector, first, last, text(range), negated);
    }
    void operator()(const Mark& mark) const { rule.mark(mark.value, mark.mask, negated); }
    void operator()(const InterfaceName& interface) const {
        rule.interface(selector, interface.name, interface.prefix, negated);
    }
    void operator()(const IpProtocol& protocol) const {
        nft::Bytes number;
        nft::append_proto(number, protocol.number);
        rule.equals(selector, number, text(protocol), negated);
    }
};

nft::Chain condition_chain(const Conditions& conditions, const Words& words) {
    nft::Chain chain{.name = condition_chain_name(conditions), .hook = std::nullopt, .rules = {}};
    for (const auto& line : conditions.lines) {
        Rule rule(chain.name);
        for (const Match& match : line)
            std::visit(Compare{rule, selector_of(match.field, words), match.negated}, match.value);
        chain.rules.push_back(std::move(rule.leave()));
    }
    chain.rules.push_back(std::move(Rule(chain.name).accept()));
    return chain;
}

} // namespace

nft::Fragment fragment() {
    nft::Fragment fragment{.name = fragment_name, .table = nft::shared_table(), .sets = {}, .chains = {}};
    add_sets(fragment.sets, ipv4);
    add_sets(fragment.sets, ipv6);
    fragment.sets.push_back(nft::subnet_ledger(within(ipv4), Family::v4));
    fragment.sets.push_back(nft::subnet_ledger(within(ipv6), Family::v6));
    fragment.sets.push_back({.name = localnet, .key = {Field::ifname}, .data = {}});
    fragment.sets.push_back({.name = companions, .key = {Field::mark, Field::mark}, .data = {}});
    fragment.sets.push_back({.name = mapped_attachments, .key = {Field::mark, Field::mark}, .data = {Field::mark}});
    fragment.chains = {lookup_chain(),      prerouting_chain(),  entry_chain("hostports_output", NF_INET_LOCAL_OUT),
                       subnets_chain(ipv4), subnets_chain(ipv6), hairpin_chain(),
                       localnet_chain()};
    return fragment;
}

std::vector<nft::Chain> condition_chains(const Config& config) {
    std::vector<nft::Chain> chains;
    for (const Words& words : {ipv4, ipv6}) {
        if (const Conditions& conditions = config.conditions(words.family); !conditions.empty())
            chains.push_back(condition_chain(conditions, words));
    }
    return chains;
}

std::vector<nft::SubnetRule> subnet_rules(const Config& config, const Targets& targets) {
    std::vector<nft::SubnetRule> rules;
    if (!config.snat || config.masq_all)
        return rules;
    for (const Words& words : {ipv4, ipv6}) {
        if (const auto& target = target_of(targets, words))
            rules.push_back({.chain = within(words), .subnet = target->masked(), .verdict = nft::Within::masquerade});
    }
    return rules;
}

} // namespace portmap
