// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "nftables/owned.h"

// A host port leads to one container, be it mapped alone or in a range. Ports and ranges are in different maps, so the
// kernel refuses only the same port twice, and a range with an end in another one; the rest is looked for here.
namespace portmap {

/// Those of `wanted` that share a port with an element that is there: a range in either map, a single port in that of
/// the ranges. By key while that takes few look-ups, which is so for every container without many or wide mappings;
/// else by a list of the map.
[[nodiscard]] std::vector<nft::Overlap> find_overlaps(nft::Socket& nftables, const std::vector<nft::Element>& wanted);

} // namespace portmap
