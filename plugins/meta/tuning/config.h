// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cni/invocation.h"
#include "link_state.h"

namespace tuning {

/// One entry of `sysctl`, both as written.
struct Sysctl {
    std::string key, value;
};

/// The keys of README.md, checked, with what overrides them taken in.
struct Config {
    std::vector<Sysctl> sysctls;
    LinkState link;       ///< what is asked for
    std::string mac_text; ///< link.mac as written, which is none when this is no address
    std::string data_dir;
};

/// Everything that can be refused without touching the system, in the Go suite's words and order.
[[nodiscard]] Config parse(const cni::Invocation& call);
/// Of its own, for the Go suite looks at it after prevResult, and at CHECK compares it as it is written.
void require_mac(const Config& config);
/// For DEL and GC, of a config that may be broken.
[[nodiscard]] std::string data_dir_leniently(const cni::Invocation& call);

} // namespace tuning
