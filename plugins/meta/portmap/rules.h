// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "config.h"
#include "nftables/owned.h"

// The chains that look port mappings up: the same whoever is mapped. README.md has a table of the sets.
namespace portmap {

/// Sets, maps and chains that all mappings share.
[[nodiscard]] nft::Fragment fragment();

/// The chains that conditions elements jump to: what meets the conditions returns and is mapped, the rest is accepted.
[[nodiscard]] std::vector<nft::Chain> condition_chains(const Config& config);
/// What comes from the container's own subnet is masqueraded, once a subnet.
[[nodiscard]] std::vector<nft::SubnetRule> subnet_rules(const Config& config, const Targets& targets);
} // namespace portmap
