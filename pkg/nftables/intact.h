// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "nftables/ruleset.h"
#include "nftables/socket.h"

namespace nft {

/// What somebody has taken out of a fragment since it was made: a chain that is gone or has fewer rules than it
/// should, in words. Empty when all is there, and when the fragment is of another version of this suite, whose rules
/// are not ours to count. Chains with a rule a subnet are held against their ledgers. `more`: chains that one
/// container needs beside. Costs a dump of each of these chains.
[[nodiscard]] std::string missing_rules(Socket& socket, const Fragment& fragment, std::span<const Chain> more = {});

} // namespace nft
