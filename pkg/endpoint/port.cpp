// SPDX-License-Identifier: Apache-2.0
#include "endpoint/port.h"

#include <poll.h>

#include <chrono>

#include <linux/if.h>

#include "cni/error.h"
#include "os/deadline.h"
#include "os/signals.h"
#include "os/text.h"

namespace endpoint {

namespace {

std::string_view operstate_text(int state) {
    switch (state) {
    case IF_OPER_NOTPRESENT:
        return "not-present";
    case IF_OPER_DOWN:
        return "down";
    case IF_OPER_LOWERLAYERDOWN:
        return "lower-layer-down";
    case IF_OPER_TESTING:
        return "testing";
    case IF_OPER_DORMANT:
        return "dormant";
    case IF_OPER_UP:
        return "up";
    default:
        return "unknown";
    }
}

} // namespace

netlink::Link wait_for_port(netlink::Rtnl& host, const std::string& name) {
    const os::Deadline deadline = os::Deadline::in(std::chrono::milliseconds(2550));
    for (int pause_ms = 0;; pause_ms = pause_ms < 16 ? 2 * pause_ms + 1 : 16) {
        const auto link = host.find_link(name);
        if (!link)
            throw cni::Error(os::cat("failed to lookup ", os::quote(name), ": Link not found"));
        if (link->operstate == IF_OPER_UP)
            return *link;
        if (deadline.passed())
            throw cni::Error(os::cat("bridge port in error state: ", operstate_text(link->operstate)));
        os::poll_signals();
        // The kernel's link watch works it off within a tick; an event socket would cost more than it saves.
        (void)poll(nullptr, 0, pause_ms);
    }
}

} // namespace endpoint
