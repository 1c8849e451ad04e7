// SPDX-License-Identifier: Apache-2.0
#include "endpoint/sandbox.h"

#include "cni/error.h"
#include "os/error.h"
#include "os/text.h"

namespace endpoint {

netns::Netns open_sandbox(const cni::Invocation& call) {
    try {
        return netns::Netns::open(call.netns);
    } catch (const os::Error& error) {
        throw cni::Error(os::cat("failed to open netns ", os::quote(call.netns), ": ", error.what()));
    }
}

} // namespace endpoint
