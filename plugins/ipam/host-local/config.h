// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cni/invocation.h"
#include "cni/result.h"
#include "inet/address.h"
#include "ranges.h"

namespace host_local {

struct Config {
    std::string data_dir;
    std::string resolv_conf;
    std::vector<RangeSet> sets;           ///< an ADD takes one address from each
    std::vector<inet::Address> requested; ///< each to be taken from the set that has it
    std::vector<cni::Route> routes;       ///< handed on
};

/// Reads and checks everything, in the Go suite's order and words.
[[nodiscard]] Config read_config(const cni::Invocation& call);
/// All that DEL and GC need, whatever else is wrong with the config.
[[nodiscard]] std::string data_dir_leniently(const cni::Invocation& call);

} // namespace host_local
