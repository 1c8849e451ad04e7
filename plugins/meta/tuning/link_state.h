// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inet/mac.h"
#include "netlink/rtnl.h"

namespace tuning {

/// The attributes of a link that this plugin changes, as far as they matter: those asked for, or those to restore.
struct LinkState {
    std::optional<inet::Mac> mac;
    std::optional<bool> promisc;
    unsigned mtu = 0; ///< 0: does not matter
    std::optional<bool> allmulti;
    std::optional<unsigned> tx_queue_length;

    [[nodiscard]] bool empty() const { return *this == LinkState{}; }
    bool operator==(const LinkState&) const = default;
};

/// What the link has of the attributes that are in `which`.
[[nodiscard]] LinkState state_of(const netlink::Link& link, const LinkState& which);
/// `first`, and of `second` what `first` does not have.
[[nodiscard]] LinkState merged(const LinkState& first, const LinkState& second);
/// What of `state` is otherwise in `found`.
[[nodiscard]] LinkState difference(const LinkState& state, const LinkState& found);

/// One request to the kernel for each attribute, in the Go suite's order.
struct Change {
    std::string_view what;
    std::function<void(netlink::Rtnl&, netlink::Index)> make;
};
[[nodiscard]] std::vector<Change> changes_to(const LinkState& state);

/// The Go suite's file: JSON with an indent of one blank, a key for each attribute that matters.
[[nodiscard]] std::string write(const LinkState& state);
/// Nothing when it cannot be read.
[[nodiscard]] std::optional<LinkState> read(std::string_view json);

} // namespace tuning
