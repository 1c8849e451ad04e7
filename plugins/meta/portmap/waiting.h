// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "elements.h"
#include "nftables/owned.h"

// A container on several networks has the same mappings on all of them. The first network's lead to it; those of the
// others wait in `waiting4`, `waiting6`, and the next one's take over when the first one goes.
namespace portmap {

/// Who asks: an attachment, and what home_at() says of its namespace.
struct Asker {
    std::string owner, home;
};
/// By the owners' names; where one is only a hash, by the namespace that the other's record names.
[[nodiscard]] bool is_of_container(nft::Socket& nftables, const Asker& asker, const std::string& owner);

/// For nft::Wanted::instead: that `ours` waits behind `theirs`, and its conditions with it.
void wait_behind(const nft::Element& ours, const nft::Element& theirs, std::vector<nft::Element>& missing);
/// What waits, as it would be in the maps: the mapping, and its conditions. Empty for other elements.
[[nodiscard]] std::vector<nft::Element> as_live(const nft::Element& waiting);

/// Whether an attachment waits, or another one waits behind it: of most neither is so, and one look-up tells.
[[nodiscard]] nft::Element companion_key(const std::string& owner);
[[nodiscard]] bool has_companions(nft::Socket& nftables, const std::string& owner);
/// Keys of all that may wait for these mappings.
[[nodiscard]] std::vector<nft::Element> waiting_keys(const Config& config, const Targets& targets,
                                                     const std::string& owner);

/// What of the attachment waits, as it would be in the maps, of such keys; only where its container has the place.
[[nodiscard]] std::vector<nft::Element> waiting_places(nft::Socket& nftables, const Asker& asker,
                                                       const std::vector<nft::Element>& keys);

/// For CHECK, of a mapping whose place another network of the container holds: empty, or what is not there by which it
/// waits and will be found.
[[nodiscard]] std::string missing_of_waiting(nft::Socket& nftables, const nft::Element& ours,
                                             const std::string& holder);

/// Puts what waits behind the attachment in the place of what it has, but for owners that pass `is_leaving`. Returns
/// what it had. Those that nobody waits for stay.
std::vector<nft::Element> hand_over(nft::Socket& nftables, const Asker& leaving, const nft::OwnerTest& is_leaving);

} // namespace portmap
