// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "config.h"

namespace tuning {

inline constexpr const char* allow_list_path = "/etc/cni/tuning/allowlist.conf";

/// Where that file exists, each key must match one of its lines, a regular expression each, anywhere; the key as it is
/// written in the config. Error: Sysctl K is not allowed. Only the following sysctls are allowed: [a b]
void check_allowed(std::span<const Sysctl> sysctls);

} // namespace tuning
