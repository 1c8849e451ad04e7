// SPDX-License-Identifier: Apache-2.0
// bridge's config, and the gateways of an IPAM result.
#include "config.h"
#include "fuzz.h"
#include "gateway.h"

FUZZ_TARGET(bridge) {
    fuzz::survive([&] {
        const cni::Invocation call = fuzz::call_of(input);
        (void)bridge::ipam_type_leniently(call);
        (void)bridge::ip_masq_leniently(call);
        fuzz::survive([&] { (void)bridge::parse_keys(call); });
        (void)call.prev_result_leniently();
        (void)call.valid_owners();
        const auto config = bridge::parse(call);
        if (auto result = call.prev_result())
            (void)bridge::complete_gateways(config, *result);
    });
}
