// SPDX-License-Identifier: Apache-2.0
// host-local alone: ours, and on the same data dir the Go suite's.
#include "model.h"

namespace soak {

namespace {

constexpr std::int64_t longest_us = 4000;

struct Tool {
    std::string program;
    bool go = false;
};

Tool choose(Soak& soak, Random& random) {
    if (!soak.go.empty() && chance(random, 10)) {
        ++soak.counts.go;
        return {soak.go + "/host-local", true};
    }
    return {soak.bin + "/host-local", false};
}

Outcome call(Soak& soak, Attachment& attachment, const Tool& tool, const std::string& command,
             const Disturbance& disturbance) {
    const Outcome outcome = run({.program = tool.program,
                                 .command = command,
                                 .id = attachment.id,
                                 .netns = "/run/netns/none",
                                 .config = attachment.network->config.dump(),
                                 .disturbance = disturbance});
    soak.counts.killed += outcome.signalled ? 1 : 0;
    soak.counts.terminated += outcome.says("SIGTERM") ? 1 : 0;
    soak.model.note(attachment, command + (tool.go ? " (go): " : ": ") + outcome.text());
    if (outcome.hung)
        soak.model.violation("a call that does not end", &attachment);
    return outcome;
}

/// The Go suite's plugin makes a lease file, then writes it.
void note_torn(Attachment& attachment, const Tool& tool, const Outcome& outcome) {
    if (tool.go && outcome.signalled)
        attachment.network->torn += static_cast<int>(attachment.network->sets);
}

void add(Soak& soak, Attachment& attachment, Random& random) {
    Network& network = *attachment.network;
    const Tool tool = choose(soak, random);
    const State before = attachment.state;
    if (before != State::held)
        soak.model.set_state(attachment, State::unknown);
    const int possible = network.possible;
    const long started = network.started;
    const Outcome outcome =
        call(soak, attachment, tool, "ADD", maybe(random, before == State::held ? 0 : 15, longest_us));
    note_torn(attachment, tool, outcome);
    if (outcome.signalled)
        return;
    if (outcome.ok()) {
        if (before == State::held)
            return soak.model.violation("a second ADD of what is held works", &attachment);
        soak.model.claim_addresses(attachment, json::parse(outcome.out));
        return soak.model.set_state(attachment, State::held);
    }
    if (outcome.says("duplicate allocation is not allowed")) {
        if (before == State::absent)
            soak.model.violation("an ADD finds a lease that nobody has", &attachment);
        return;
    }
    const bool full = outcome.says("no IP addresses available");
    if (full) {
        ++soak.counts.exhausted;
        if (network.capacity == 0 || possible + (network.started - started) + network.torn < network.capacity)
            soak.model.violation("no address in a range that is not full", &attachment);
    } else if (!(outcome.sent && outcome.says("SIGTERM"))) {
        soak.model.violation("an ADD fails", &attachment);
    }
    if (before == State::absent)
        soak.model.set_state(attachment, State::absent); // a failure leaves nothing
}

void check(Soak& soak, Attachment& attachment, Random& random) {
    const Outcome outcome = call(soak, attachment, choose(soak, random), "CHECK", maybe(random, 5, longest_us));
    if (outcome.signalled || outcome.says("SIGTERM"))
        return;
    if (!outcome.ok() && !outcome.says("Failed to find address added by container"))
        soak.model.violation("a CHECK fails", &attachment);
    if (attachment.state == State::held && !outcome.ok())
        soak.model.violation("a lease is lost", &attachment);
    if (attachment.state == State::absent && outcome.ok())
        soak.model.violation("a CHECK finds a lease that nobody has", &attachment);
}

} // namespace

void del_ipam(Soak& soak, Attachment& attachment, Random& random, int disturbed) {
    const Tool tool = choose(soak, random);
    soak.model.release_addresses(attachment); // the next one may get them before this call is over
    if (attachment.state == State::held)
        soak.model.set_state(attachment, State::unknown);
    const Outcome outcome = call(soak, attachment, tool, "DEL", maybe(random, disturbed, longest_us));
    if (outcome.ok())
        return soak.model.set_state(attachment, State::absent);
    if (!outcome.signalled && !(outcome.sent && outcome.says("SIGTERM")))
        soak.model.violation("a DEL fails", &attachment);
}

void operate_ipam(Soak& soak, Attachment& attachment, Random& random) {
    const auto dice = static_cast<int>(random() % 100);
    const State state = attachment.state;
    const int add_below = state == State::absent ? 85 : state == State::held ? 15 : 35;
    const int del_below = state == State::absent ? 92 : state == State::held ? 70 : 90;
    if (dice < add_below) {
        ++soak.counts.adds;
        add(soak, attachment, random);
    } else if (dice < del_below) {
        ++soak.counts.dels;
        del_ipam(soak, attachment, random, 15);
    } else {
        ++soak.counts.checks;
        check(soak, attachment, random);
    }
}

} // namespace soak
