// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cni/invocation.h"
#include "nftables/element.h"

// What an attachment has in the sets of rules.h, found as cheaply as can be.
namespace portmap {

/// From lists of every set.
[[nodiscard]] std::vector<nft::Element> list_own(nft::Socket& nftables, const std::string& owner);

/// What says that the attachment has mappings, which most have not: one look-up tells.
[[nodiscard]] std::optional<nft::Element> find_record(nft::Socket& nftables, const std::string& owner);
/// For CHECK: empty, or that the owner of this key has no element there.
[[nodiscard]] std::string missing_record(nft::Socket& nftables, const nft::Element& key);
/// For DEL: what config and prevResult tell is looked up by key, unless the record says that ADD was told something
/// else. Many are found sooner in lists, when these are short. `with_companions`: some may wait (waiting.h).
[[nodiscard]] std::vector<nft::Element> find_own(nft::Socket& nftables, const cni::Invocation& call,
                                                 const nft::Element& record, bool with_companions);

} // namespace portmap
