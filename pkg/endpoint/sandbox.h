// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cni/invocation.h"
#include "netns/netns.h"

namespace endpoint {

/// The container's namespace, for ADD and CHECK: `failed to open netns "<path>": …` (999) when it is none.
[[nodiscard]] netns::Netns open_sandbox(const cni::Invocation& call);

} // namespace endpoint
