// SPDX-License-Identifier: Apache-2.0
// bandwidth's config and arithmetic.
#include "config.h"
#include "fuzz.h"
#include "shaper.h"

FUZZ_TARGET(bandwidth) {
    fuzz::survive([&] {
        const auto config = bandwidth::parse(fuzz::call_of(input));
        if (config.ingress.is_set())
            (void)bandwidth::token_bucket(config.ingress);
        if (config.egress.is_set())
            (void)bandwidth::token_bucket(config.egress);
        (void)bandwidth::subnet_filters(config.subnets, bandwidth::FarEnd::source);
    });
}
