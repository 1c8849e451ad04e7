// SPDX-License-Identifier: Apache-2.0
// The whole chain: bridge with host-local, then portmap, then what else there is, as a runtime drives them.
#include "chain.h"

namespace soak {

namespace {

constexpr int first_port = 20'000, ports = 80;

/// Nothing when bridge did not answer with a result; what it leaves is in the attachment's state.
json add_bridge(Soak& soak, Attachment& attachment, Random& random) {
    const State before = attachment.state;
    const bool may_refuse = attachment.maybe_finished;
    soak.model.set_state(attachment, State::unknown);
    const Outcome outcome = call(soak, attachment, "ADD", attachment.network->config, maybe(random, 15, longest_us));
    if (outcome.ok())
        return json::parse(outcome.out);
    if (outcome.signalled) {
        attachment.maybe_finished = attachment.maybe_finished || !outcome.out.empty();
        return nullptr;
    }
    const bool refused = may_refuse && outcome.says("already exists");
    if (!refused && !outcome.is_ended_on_purpose())
        soak.model.violation("an ADD of bridge fails", &attachment);
    if (before == State::absent)
        soak.model.set_state(attachment, State::absent); // a failure leaves nothing
    return nullptr;
}

bool may_have_one(const Attachment* attachment, const Ports& wanted) {
    const auto at = attachment == nullptr ? std::set<int>::iterator() : attachment->ports.lower_bound(wanted.first);
    return attachment != nullptr && at != attachment->ports.end() && *at <= wanted.last;
}

/// Of the container's other network now and then: runtimes give the same ones to both. What overlaps with its own in
/// part would wait as a whole, and the rest be anybody's.
Ports choose_ports(const Attachment& attachment, Random& random) {
    const Attachment* companion = attachment.companion;
    if (companion != nullptr && companion->port.first != 0 && chance(random, 50))
        return companion->port;
    for (;;) {
        const int first = first_port + static_cast<int>(random() % ports), more = chance(random, 30) ? 2 : 0;
        if (const Ports chosen{.first = first, .last = first + more}; !may_have_one(companion, chosen))
            return chosen;
    }
}

/// A port that is taken is the only good reason to fail.
void judge_failure(Soak& soak, Attachment& attachment, const std::string& plugin, const Outcome& outcome,
                   const Ports& wanted, const Model::Intent& intent) {
    if (outcome.is_ended_on_purpose())
        return;
    if (plugin != "portmap" || !(outcome.says(" is taken by container") || outcome.says(" are taken by container")))
        return soak.model.violation("an ADD of " + plugin + " fails", &attachment);
    ++soak.counts.ports_taken;
    if (!soak.model.may_be_taken(wanted, intent))
        soak.model.violation("host ports are nobody's, and refused: " + outcome.text(), &attachment);
}

void add(Soak& soak, Attachment& attachment, Random& random) {
    attachment.flushes = soak.model.flushes;
    json result = add_bridge(soak, attachment, random);
    if (result.is_null())
        return;
    attachment.maybe_finished = true;
    const Ports wanted = choose_ports(attachment, random);
    const Model::Intent intent = soak.model.intend_ports(attachment, wanted);
    const std::vector<json> chain = chain_of(*attachment.network, mapping(wanted));
    for (auto config = chain.begin() + 1; config != chain.end(); ++config) {
        const Outcome outcome =
            call(soak, attachment, "ADD", with_result(*config, result), maybe(random, 15, longest_us));
        if (!outcome.ok()) // half of the chain is there: a DEL comes, or a GC
            return judge_failure(soak, attachment, (*config)["type"], outcome, wanted, intent);
        result = json::parse(outcome.out);
    }
    soak.model.claim_addresses(attachment, result);
    soak.model.claim_ports(attachment, wanted);
    attachment.result = result;
    soak.model.set_state(attachment, State::held);
}

/// After a flush of the ruleset those whose elements it took say so.
void check(Soak& soak, Attachment& attachment) {
    for (const json& config : chain_of(*attachment.network, mapping(attachment.port))) {
        const Outcome outcome = call(soak, attachment, "CHECK", with_result(config, attachment.result));
        const bool has_elements = config["type"] != "tuning" && config["type"] != "bandwidth";
        if (!outcome.ok() && !(has_elements && outcome.says("") && !soak.model.is_intact(attachment)))
            soak.model.violation("a CHECK of what is held fails", &attachment);
    }
}

} // namespace

Outcome call(Soak& soak, Attachment& attachment, const std::string& command, const json& config,
             const Disturbance& disturbance) {
    const std::string plugin = config["type"];
    const Outcome outcome = run({.program = soak.bin + "/" + plugin,
                                 .command = command,
                                 .id = attachment.id,
                                 .netns = attachment.netns,
                                 .ifname = attachment.ifname,
                                 .config = config.dump(),
                                 .disturbance = disturbance});
    soak.counts.killed += outcome.signalled ? 1 : 0;
    soak.counts.terminated += outcome.says("SIGTERM") ? 1 : 0;
    soak.model.note(attachment, plugin + " " + command + ": " + outcome.text());
    if (!outcome.is_sound())
        soak.model.violation("a call that does not end, or crashes, or says no JSON", &attachment);
    return outcome;
}

json with_result(json config, const json& result) {
    if (!result.is_null())
        config["prevResult"] = result;
    return config;
}

json mapping(const Ports& ports) {
    if (ports.first == 0)
        return json::array();
    json one = {{"hostPort", ports.first}, {"containerPort", 80}, {"protocol", "tcp"}};
    if (ports.last != ports.first)
        one.update({{"hostPortEnd", ports.last}, {"containerPort", ports.first}});
    return json::array({one});
}

std::vector<json> chain_of(const Network& network, const json& mappings) {
    std::vector<json> chain = {network.config, network.portmap};
    if (!mappings.empty())
        chain[1]["runtimeConfig"]["portMappings"] = mappings;
    chain.insert(chain.end(), network.behind.begin(), network.behind.end());
    return chain;
}

bool tear_down(Soak& soak, Attachment& attachment, const json& mappings, const json& result, Random& random,
               int disturbed) {
    const std::vector<json> chain = chain_of(*attachment.network, mappings);
    for (auto config = chain.rbegin(); config != chain.rend(); ++config) {
        const Outcome outcome =
            call(soak, attachment, "DEL", with_result(*config, result), maybe(random, disturbed, longest_us));
        if (outcome.ok())
            continue;
        if (!outcome.is_ended_on_purpose())
            soak.model.violation("a DEL of " + config->at("type").get<std::string>() + " fails", &attachment);
        return false;
    }
    return true;
}

void del_chain(Soak& soak, Attachment& attachment, Random& random, int disturbed) {
    const json result = attachment.state == State::held ? attachment.result : json();
    const json mappings = mapping(attachment.port);
    soak.model.release_addresses(attachment); // the next one may get them before this call is over
    soak.model.release_ports(attachment);
    if (attachment.state == State::held) {
        soak.model.set_state(attachment, State::unknown);
        attachment.maybe_finished = true;
    }
    attachment.result = nullptr;
    if (tear_down(soak, attachment, mappings, result, random, disturbed))
        soak.model.set_state(attachment, State::absent);
}

void operate_chain(Soak& soak, Attachment& attachment, Random& random) {
    ++soak.counts.chains;
    const auto dice = static_cast<int>(random() % 100);
    if (attachment.state == State::held && dice < 40) {
        ++soak.counts.checks;
        check(soak, attachment);
    } else if (attachment.state == State::held || dice < (attachment.state == State::absent ? 10 : 60)) {
        ++soak.counts.dels;
        del_chain(soak, attachment, random, 15);
    } else {
        ++soak.counts.adds;
        add(soak, attachment, random);
    }
}

void ask_status(Soak& soak, Network& network, Random& random) {
    ++soak.counts.statuses;
    const std::vector<json> chain = chain_of(network);
    json config = chain[random() % chain.size()];
    config["cniVersion"] = "1.1.0"; // STATUS is not older
    const std::string plugin = config["type"];
    const Outcome outcome = run({.program = soak.bin + "/" + plugin, .command = "STATUS", .config = config.dump()});
    if (!outcome.ok() || !outcome.out.empty())
        soak.model.violation("a STATUS of " + plugin + " fails: " + outcome.text(), nullptr);
}

} // namespace soak
