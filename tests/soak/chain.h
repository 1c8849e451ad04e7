// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model.h"

// Calls of a chain's plugins.
namespace soak {

/// Of a plugin, under load.
constexpr std::int64_t longest_us = 40'000;

Outcome call(Soak& soak, Attachment& attachment, const std::string& command, const json& config,
             const Disturbance& disturbance = {});

/// The config with prevResult, when there is one.
json with_result(json config, const json& result);
/// portMappings of these.
json mapping(const Ports& ports);
/// Every plugin's config in the chain's order.
std::vector<json> chain_of(const Network& network, const json& mappings = {});
/// Every plugin's DEL, in the reverse order, up to the first that does not work.
bool tear_down(Soak& soak, Attachment& attachment, const json& mappings, const json& result, Random& random,
               int disturbed);

} // namespace soak
