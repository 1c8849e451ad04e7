// SPDX-License-Identifier: Apache-2.0
// portmap: config, conditions in both languages, the elements that come of them.
#include <string>
#include <vector>

#include "conditions.h"
#include "config.h"
#include "elements.h"
#include "fuzz.h"
#include "rules.h"

FUZZ_TARGET(portmap) {
    fuzz::survive([&] {
        const cni::Invocation call = fuzz::call_of(input);
        (void)portmap::parse_leniently(call);
        const auto config = portmap::parse(call);
        if (!config.prev_result)
            return;
        const auto targets = portmap::container_addresses(*config.prev_result, call.ifname);
        for (const auto& element : portmap::elements(config, targets, call.owner()))
            (void)portmap::read_mapped(element);
        (void)portmap::possible_keys(config, targets);
        (void)portmap::condition_chains(config);
        (void)portmap::subnet_rules(config, targets);
    });
}

// A word a line; the first byte chooses the family.
FUZZ_TARGET(conditions) {
    const auto family = (fuzz::take_byte(input) & 1U) != 0 ? inet::Family::v6 : inet::Family::v4;
    std::vector<std::string> words;
    for (std::string_view rest = fuzz::text_of(input); !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        words.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    fuzz::survive([&] {
        const auto conditions = portmap::parse_conditions("conditionsV4", family, words);
        (void)portmap::text(conditions);
        portmap::Config config;
        (family == inet::Family::v4 ? config.conditions_v4 : config.conditions_v6) = conditions;
        (void)portmap::condition_chains(config);
    });
}

FUZZ_TARGET(owner_name) {
    const auto text = fuzz::text_of(input);
    if (const auto name = portmap::read_owner(text))
        fuzz::must(name->network.size() + name->container_id.size() < text.size(), "names are parts of the owner");
    (void)cni::OwnersOf("net").contain(text);
}
