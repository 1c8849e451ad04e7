// SPDX-License-Identifier: Apache-2.0
// The comparison of the host's ruleset with what should be there, and its flush.
#include <algorithm>
#include <fstream>
#include <mutex>

#include "model.h"
#include "world.h"

namespace soak {

namespace {

/// Nothing but what a host has whose iptables drop what is forwarded: firewall has to get past that.
constexpr const char* emptied = R"(flush ruleset
add table ip filter
add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
add table ip6 filter
add chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }
)";

/// What a container has, or a bridge: how often it is in each set.
using Sets = std::map<std::string, int>;

struct Ruleset {
    std::map<std::string, Sets> owners;                      ///< by the comments of elements, up to the first blank
    std::map<std::string, std::string> texts;                ///< of the sets
    std::map<std::string, std::map<std::string, int>> jumps; ///< of iptables' own rules: by chain, to which
    std::map<std::string, int> rules;                        ///< how many there are in each of iptables' chains
};

void collect_comments(const json& node, const std::string& set, Ruleset& ruleset) {
    if (node.is_object() && node.contains("comment") && node["comment"].is_string()) {
        const auto comment = node["comment"].get<std::string>();
        ++ruleset.owners[comment.substr(0, comment.find(' '))][set];
    }
    if (node.is_structured())
        for (const json& part : node)
            collect_comments(part, set, ruleset);
}

void read_rule(const json& rule, Ruleset& ruleset) {
    if (rule.at("table") != "filter")
        return;
    const std::string chain = rule.at("family").get<std::string>() + " " + rule.at("chain").get<std::string>();
    ++ruleset.rules[chain];
    for (const json& part : rule.at("expr"))
        if (part.contains("jump"))
            ++ruleset.jumps[chain][part["jump"]["target"]];
}

Ruleset read_ruleset() {
    Ruleset ruleset;
    const json listed = json::parse(test::sh("nft -j list ruleset"));
    for (const json& item : listed.at("nftables")) {
        for (const char* kind : {"set", "map"})
            if (item.contains(kind)) {
                const json elements = item[kind].value("elem", json::array());
                collect_comments(elements, item[kind]["name"], ruleset);
                ruleset.texts[item[kind]["name"]] = elements.dump();
            }
        if (item.contains("rule"))
            read_rule(item["rule"], ruleset);
    }
    return ruleset;
}

/// How often an attachment that is held is in each set.
Sets wanted_of(const Attachment& attachment) {
    const Network& network = *attachment.network;
    const int v6 = network.sets > 1 ? 1 : 0, walled = network.policy.empty() ? 0 : 1;
    return {{"masq4", 1},
            {"masq6", v6},
            {"guarded", 1},
            {"allowed", 1},
            {"attachments", 1},
            {"accepted4", walled},
            {"accepted6", walled * v6},
            {"accepted_owners", walled},
            {"isolated", network.policy == "isolated" ? 1 : 0}};
}

void audit_elements(Soak& soak, Network& network, Ruleset& ruleset) {
    for (const auto& attachment : network.attachments) {
        Sets sets = ruleset.owners[attachment->owner()];
        ruleset.owners.erase(attachment->owner());
        if (attachment->state == State::absent && !sets.empty())
            soak.model.violation("elements without an owner in " + sets.begin()->first, attachment.get());
        if (attachment->state != State::held || !soak.model.is_intact(*attachment))
            continue;
        for (const auto& [set, count] : wanted_of(*attachment))
            if (sets[set] != count)
                soak.model.violation("it is in " + set + " so often: " + std::to_string(sets[set]), attachment.get());
        for (const std::string version : {"4", network.sets > 1 ? "6" : "4"})
            if (sets["hostports" + version] + sets["hostranges" + version] + sets["waiting" + version] != 1)
                soak.model.violation("its ports are not mapped once, IPv" + version, attachment.get());
    }
    for (const auto& [owner, sets] : ruleset.owners)
        if (owner.starts_with(network.name + "/"))
            soak.model.violation("nobody's elements: " + owner, nullptr);
}

bool is_walled(const Soak& soak, const Network& network, const std::string& bridge, const std::string& policy) {
    return network.config.at("bridge") == bridge && network.policy == policy &&
           std::ranges::any_of(network.attachments, [&](const auto& attachment) {
               return attachment->state == State::held && soak.model.is_intact(*attachment);
           });
}

/// The network's bridge, and the rules by which iptables let containers through, once each.
void audit_walls(Soak& soak, const Network& network, Ruleset& ruleset) {
    const std::string bridge = network.config.at("bridge"), quoted = "\"" + bridge + "\"";
    const bool isolated = is_walled(soak, network, bridge, "isolated");
    const auto lacks = [&](const char* set) { return ruleset.texts[set].find(quoted) == std::string::npos; };
    if ((isolated || is_walled(soak, network, bridge, "same-bridge")) && (lacks("apart") || lacks("apart_own")))
        soak.model.violation("bridge " + bridge + " is not kept apart", nullptr);
    if (isolated && lacks("apart_isolated"))
        soak.model.violation("the containers of bridge " + bridge + " are not isolated", nullptr);
    if (network.policy == "open" && !(lacks("apart") && lacks("apart_own") && lacks("apart_isolated")))
        soak.model.violation("bridge " + bridge + " is kept apart without a policy", nullptr);
    const bool passing = isolated || is_walled(soak, network, bridge, network.policy);
    for (const std::string family : {"ip", "ip6"}) {
        const int jumps = ruleset.jumps[family + " FORWARD"]["CNI-FORWARD"];
        const int rules = ruleset.rules[family + " CNI-FORWARD"];
        const bool used = !network.policy.empty() && passing && (family == "ip" || network.sets > 1);
        if (jumps > 1 || rules > 2 || (used && (jumps != 1 || rules != 2)))
            soak.model.violation("the rules of firewall in " + family + " filter: " + std::to_string(jumps) +
                                     " jumps, " + std::to_string(rules) + " rules behind them",
                                 nullptr);
    }
}

} // namespace

void audit_ruleset(Soak& soak, Network& network) {
    Ruleset ruleset = read_ruleset();
    audit_elements(soak, network, ruleset);
    audit_walls(soak, network, ruleset);
}

void flush_ruleset(Soak& soak) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    ++soak.model.flushes;
    test::sh("nft -f - <<'END'\n" + std::string(emptied) + "END");
    ++soak.model.flushes;
}

} // namespace soak
