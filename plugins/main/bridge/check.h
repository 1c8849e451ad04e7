// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cni/invocation.h"
#include "config.h"
#include "netns/netns.h"

namespace bridge {

/// CHECK against prevResult: bridge, host end, container end, addresses, routes, in the Go suite's words; then
/// what it never looked at: masquerade, MAC spoof check, VLANs of the port.
void check_endpoint(const cni::Invocation& call, const Config& config, const netns::Netns& sandbox);

} // namespace bridge
