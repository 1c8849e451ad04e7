// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "config.h"
#include "nftables/element.h"

// Connection tracking goes on with what it once decided. A TCP peer notices and comes again; a UDP or SCTP peer that
// keeps sending would stay where the port led before, so its flow is forgotten. Failures only warn: the mappings are
// in place, or gone, all the same.
namespace portmap {

/// After ADD: flows to the host's side of the mappings, decided when the port led elsewhere.
void forget_flows_to_host(std::span<const Mapping> mappings, const Targets& targets);
/// After DEL: flows that lead to the container through these elements.
void forget_flows_to_container(std::span<const nft::Element> elements);

} // namespace portmap
