// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>

#include "cni/error.h"
#include "os/text.h"

namespace bandwidth {

namespace {

constexpr std::string_view rate_keys[] = {"ingressRate", "ingressBurst", "egressRate", "egressBurst"};
constexpr std::string_view unshaped_key = "unshapedSubnets", shaped_key = "shapedSubnets";

/// What may stand at the top level and in runtimeConfig.bandwidth.
struct Entry {
    Limit ingress, egress;
    std::vector<std::string> unshaped, shaped;
    bool has_rates = false;
    [[nodiscard]] bool has_subnets() const { return !unshaped.empty() || !shaped.empty(); }
};

Entry read_entry(const cni::Object& object) {
    const auto number = [&](std::string_view key) { return object.find_unsigned(key).value_or(0); };
    return {.ingress = {number("ingressRate"), number("ingressBurst")},
            .egress = {number("egressRate"), number("egressBurst")},
            .unshaped = object.texts(unshaped_key),
            .shaped = object.texts(shaped_key),
            .has_rates = std::ranges::any_of(rate_keys, [&](std::string_view key) { return object.has(key); })};
}

// Rates at the top level are the administrator's word: the runtime's do not count then, not even beside a 0.
Entry read(const cni::Object& config) {
    (void)cni::read_net_conf(config); // the keys that all plugins share must be well-typed
    Entry entry = read_entry(config);
    const auto runtime = config.object("runtimeConfig");
    const auto bandwidth = runtime ? runtime->object("bandwidth") : std::nullopt;
    if (!bandwidth)
        return entry;
    Entry theirs = read_entry(*bandwidth);
    if (entry.has_rates)
        return entry;
    if (!theirs.has_subnets()) {
        theirs.unshaped = std::move(entry.unshaped);
        theirs.shaped = std::move(entry.shaped);
    }
    return theirs;
}

void check(const Limit& limit) {
    if (limit.burst == 0 && limit.rate != 0)
        throw cni::Error("if rate is set, burst must also be set");
    if (limit.rate == 0 && limit.burst != 0)
        throw cni::Error("if burst is set, rate must also be set");
    if (limit.burst / 8 >= UINT32_MAX)
        throw cni::Error("burst cannot be more than 4GB");
}

std::vector<inet::Prefix> parse_subnets(const std::vector<std::string>& texts) {
    std::vector<inet::Prefix> subnets;
    for (const std::string& text : texts) {
        const auto subnet = inet::Prefix::parse(text);
        if (!subnet)
            throw cni::Error(
                os::cat("bad subnet ", os::quote(text), " provided, details invalid CIDR address: ", text));
        subnets.push_back(subnet->masked());
    }
    return subnets;
}

Subnets check_subnets(const Entry& entry) {
    if (!entry.unshaped.empty() && !entry.shaped.empty())
        throw cni::Error("unshapedSubnets and shapedSubnets cannot be both specified, one of them should be discarded");
    return {.unshaped = parse_subnets(entry.unshaped), .shaped = parse_subnets(entry.shaped)};
}

} // namespace

Config parse(const cni::Invocation& call) {
    const Entry entry = cni::prefixed("failed to parse network configuration: ", [&] { return read(call.config); });
    check(entry.ingress);
    check(entry.egress);
    // The Go suite has this prefix twice: one by its library, one by the plugin.
    auto prev_result = cni::prefixed("could not parse prevResult: ", [&] { return call.prev_result(); });
    Config config{.ingress = entry.ingress, .egress = entry.egress, .prev_result = std::move(prev_result)};
    if (config.is_limited())
        config.subnets = check_subnets(entry);
    call.config.warn_unknown();
    return config;
}

} // namespace bandwidth
