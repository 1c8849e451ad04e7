// SPDX-License-Identifier: Apache-2.0
// firewall's config, and what it takes out of a result.
#include "config.h"
#include "fuzz.h"

FUZZ_TARGET(firewall) {
    fuzz::survive([&] {
        const cni::Invocation call = fuzz::call_of(input);
        (void)firewall::parse_leniently(call);
        const auto config = firewall::parse(call);
        (void)firewall::addresses_of(config.prev_result);
        (void)firewall::ports_of(config.prev_result);
        if (config.prev_result)
            (void)firewall::ingress_of(config);
    });
}
