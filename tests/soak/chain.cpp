// SPDX-License-Identifier: Apache-2.0
// The whole chain: bridge with host-local, then portmap, then what else there is, as a runtime drives them.
#include "model.h"

namespace soak {

namespace {

constexpr std::int64_t longest_us = 40'000;
constexpr int first_port = 20'000, ports = 60;

Outcome call(Soak& soak, Attachment& attachment, const std::string& plugin, const std::string& command,
             const json& config, const Disturbance& disturbance) {
    const Outcome outcome = run({.program = soak.bin + "/" + plugin,
                                 .command = command,
                                 .id = attachment.id,
                                 .netns = attachment.netns,
                                 .config = config.dump(),
                                 .disturbance = disturbance});
    soak.counts.killed += outcome.signalled ? 1 : 0;
    soak.counts.terminated += outcome.says("SIGTERM") ? 1 : 0;
    soak.model.note(attachment, plugin + " " + command + ": " + outcome.text());
    if (outcome.hung)
        soak.model.violation("a call that does not end", &attachment);
    return outcome;
}

json with_ports(const Network& network, int port, const json& result) {
    json config = network.portmap;
    if (port != 0)
        config["runtimeConfig"]["portMappings"] = {{{"hostPort", port}, {"containerPort", 80}, {"protocol", "tcp"}}};
    if (!result.is_null())
        config["prevResult"] = result;
    return config;
}

json with_result(json config, const json& result) {
    if (!result.is_null())
        config["prevResult"] = result;
    return config;
}

/// Nothing when bridge did not answer with a result; what it leaves is in the attachment's state.
json add_bridge(Soak& soak, Attachment& attachment, Random& random) {
    const State before = attachment.state;
    const bool may_refuse = attachment.maybe_finished;
    soak.model.set_state(attachment, State::unknown);
    const Outcome outcome =
        call(soak, attachment, "bridge", "ADD", attachment.network->config, maybe(random, 15, longest_us));
    if (outcome.ok())
        return json::parse(outcome.out);
    if (outcome.signalled) {
        attachment.maybe_finished = attachment.maybe_finished || !outcome.out.empty();
        return nullptr;
    }
    const bool refused = may_refuse && outcome.says("already exists");
    if (!refused && !(outcome.sent && outcome.says("SIGTERM")))
        soak.model.violation("an ADD of bridge fails", &attachment);
    if (before == State::absent)
        soak.model.set_state(attachment, State::absent); // a failure leaves nothing
    return nullptr;
}

bool is_ended_on_purpose(const Outcome& outcome) {
    return outcome.signalled || (outcome.sent && outcome.says("SIGTERM"));
}

/// The plugins behind portmap; false when one did not get through.
bool add_behind(Soak& soak, Attachment& attachment, json& result, Random& random) {
    for (const json& config : attachment.network->behind) {
        const std::string plugin = config["type"];
        const Outcome outcome =
            call(soak, attachment, plugin, "ADD", with_result(config, result), maybe(random, 15, longest_us));
        if (!outcome.ok()) {
            if (!is_ended_on_purpose(outcome))
                soak.model.violation("an ADD of " + plugin + " fails", &attachment);
            return false;
        }
        result = json::parse(outcome.out);
    }
    return true;
}

void add(Soak& soak, Attachment& attachment, Random& random) {
    json result = add_bridge(soak, attachment, random);
    if (result.is_null())
        return;
    attachment.maybe_finished = true;
    const int port = first_port + static_cast<int>(random() % ports);
    const Model::Intent intent = soak.model.intend_port(attachment, port);
    const Outcome outcome = call(soak, attachment, "portmap", "ADD", with_ports(*attachment.network, port, result),
                                 maybe(random, 15, longest_us));
    if (outcome.ok()) {
        if (!add_behind(soak, attachment, result, random))
            return; // half of the chain is there: a DEL comes, or a GC
        soak.model.claim_addresses(attachment, result);
        soak.model.claim_port(attachment, port);
        attachment.result = result;
        return soak.model.set_state(attachment, State::held);
    }
    if (is_ended_on_purpose(outcome))
        return;
    if (!outcome.says("host port " + std::to_string(port) + "/tcp is taken by container"))
        return soak.model.violation("an ADD of portmap fails", &attachment);
    ++soak.counts.ports_taken;
    if (!soak.model.may_be_taken(port, intent))
        soak.model.violation("host port " + std::to_string(port) + " is nobody's, and refused", &attachment);
}

void check(Soak& soak, Attachment& attachment) {
    const Outcome bridge =
        call(soak, attachment, "bridge", "CHECK", with_result(attachment.network->config, attachment.result), {});
    const Outcome portmap = call(soak, attachment, "portmap", "CHECK",
                                 with_ports(*attachment.network, attachment.port, attachment.result), {});
    bool ok = bridge.ok() && portmap.ok();
    for (const json& config : attachment.network->behind)
        ok = call(soak, attachment, config["type"], "CHECK", with_result(config, attachment.result), {}).ok() && ok;
    if (!ok)
        soak.model.violation("a CHECK of what is held fails", &attachment);
}

} // namespace

void del_chain(Soak& soak, Attachment& attachment, Random& random, int disturbed) {
    const json result = attachment.state == State::held ? attachment.result : json();
    const int port = attachment.port;
    soak.model.release_addresses(attachment); // the next one may get them before this call is over
    attachment.port = 0;
    {
        const std::lock_guard lock(soak.model.ports_mutex);
        if (port != 0 && soak.model.ports[port].holder == &attachment)
            soak.model.ports[port].holder = nullptr;
    }
    if (attachment.state == State::held) {
        soak.model.set_state(attachment, State::unknown);
        attachment.maybe_finished = true;
    }
    attachment.result = nullptr;
    std::vector<json> configs = {with_result(attachment.network->config, result),
                                 with_ports(*attachment.network, port, result)};
    for (const json& config : attachment.network->behind)
        configs.push_back(with_result(config, result));
    for (auto config = configs.rbegin(); config != configs.rend(); ++config) {
        const std::string plugin = (*config)["type"];
        const Outcome outcome = call(soak, attachment, plugin, "DEL", *config, maybe(random, disturbed, longest_us));
        if (outcome.ok())
            continue;
        if (!is_ended_on_purpose(outcome))
            soak.model.violation("a DEL of " + plugin + " fails", &attachment);
        return;
    }
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

} // namespace soak
