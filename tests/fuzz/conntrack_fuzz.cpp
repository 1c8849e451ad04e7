// SPDX-License-Identifier: Apache-2.0
// What ctnetlink answers when flows are listed, and removed.
#include <array>

#include "conntrack/flush.h"
#include "fuzz.h"

FUZZ_TARGET(conntrack) {
    const std::array<conntrack::FlowFilter, 2> filters{
        conntrack::FlowFilter{
            .family = inet::Family::v4, .protocol = 17, .dport = 0, .dport_end = 65535, .dst = {}, .reply_src = {}},
        conntrack::FlowFilter{
            .family = inet::Family::v6, .protocol = 17, .dport = 53, .dport_end = 53, .dst = {}, .reply_src = {}}};
    fuzz::kernel_says(input);
    fuzz::survive([&] { (void)conntrack::flush(filters, [](const inet::Address&) { return true; }); });
}
