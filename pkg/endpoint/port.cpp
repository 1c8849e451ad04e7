// SPDX-License-Identifier: Apache-2.0
#include "endpoint/port.h"

#include <poll.h>

#include <chrono>
#include <utility>

#include <linux/if.h>

#include "cni/error.h"
#include "os/deadline.h"
#include "os/signals.h"
#include "os/text.h"

namespace endpoint {

namespace {

constexpr std::chrono::milliseconds patience{2550};

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

// The kernel's link watch works it off within a tick; an event socket would cost more than it saves.
class Pauses {
  public:
    void next() {
        os::poll_signals();
        (void)poll(nullptr, 0, pause_ms_);
        pause_ms_ = pause_ms_ < 16 ? 2 * pause_ms_ + 1 : 16;
    }

  private:
    int pause_ms_ = 0;
};

} // namespace

netlink::Link require_link(netlink::Rtnl& rtnl, const std::string& name) {
    auto link = rtnl.find_link(name);
    if (!link)
        throw cni::Error(os::cat("failed to lookup ", os::quote(name), ": Link not found"));
    return *std::move(link);
}

netlink::Link wait_for_port(netlink::Rtnl& host, const std::string& name) {
    const os::Deadline deadline = os::Deadline::in(patience);
    for (Pauses pauses;; pauses.next()) {
        netlink::Link link = require_link(host, name);
        if (link.operstate == IF_OPER_UP)
            return link;
        if (deadline.passed())
            throw cni::Error(os::cat("bridge port in error state: ", operstate_text(link.operstate)));
    }
}

netlink::Link wait_for_bridge(netlink::Rtnl& host, const netlink::Link& bridge, const netlink::Link& port) {
    const os::Deadline deadline = os::Deadline::in(patience);
    for (Pauses pauses;; pauses.next()) {
        const auto link = host.find_link(bridge.index);
        if (!link || link->operstate == IF_OPER_UP || !port.forwarding || deadline.passed())
            return link.value_or(bridge);
    }
}

} // namespace endpoint
