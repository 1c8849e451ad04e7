// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cni/result.h"

namespace host_local {

/// What resolv.conf(5) text says about nameserver, domain, search and options; other lines count for nothing.
[[nodiscard]] cni::Dns parse_resolv_conf(std::string_view text);
/// Throws cni::Error `open /nope: no such file or directory`.
[[nodiscard]] cni::Dns read_resolv_conf(const std::string& path);

} // namespace host_local
