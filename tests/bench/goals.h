// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace bench {

/// One thing to reach: a figure with a limit.
struct Goal {
    std::string what;
    double measured = 0;
    double limit = 0;
    std::string unit = {}; ///< behind the figures; empty: a ratio
    bool at_least = false; ///< the limit is a lower one
    [[nodiscard]] bool reached() const { return at_least ? measured >= limit : measured <= limit; }
};
/// goal / limit / measured / reached.
std::string goal_table(const std::vector<Goal>& goals);

} // namespace bench
