// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cni/invocation.h"
#include "cni/result.h"
#include "inet/address.h"

namespace bandwidth {

/// Bits a second, and bits that may be sent at once. Both or neither.
struct Limit {
    std::uint64_t rate = 0, burst = 0;
    [[nodiscard]] bool is_set() const { return rate != 0; }
};

/// Whose traffic is limited, by the address of the far end: at most one of the lists has entries; none: everybody's.
struct Subnets {
    std::vector<inet::Prefix> unshaped, shaped;
    [[nodiscard]] bool empty() const { return unshaped.empty() && shaped.empty(); }
};

/// The keys of README.md, checked.
struct Config {
    Limit ingress; ///< to the container
    Limit egress;  ///< from the container
    Subnets subnets;
    std::optional<cni::Result> prev_result;

    [[nodiscard]] bool is_limited() const { return ingress.is_set() || egress.is_set(); }
};

/// Everything that can be refused without touching the system, in the Go suite's words and order.
[[nodiscard]] Config parse(const cni::Invocation& call);

} // namespace bandwidth
