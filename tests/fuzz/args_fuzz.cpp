// SPDX-License-Identifier: Apache-2.0
// CNI_ARGS.
#include "cni/args.h"
#include "fuzz.h"

FUZZ_TARGET(args) {
    const std::string text(fuzz::text_of(input));
    fuzz::survive([&] {
        for (const auto& [key, value] : cni::parse_args(text, {"IP", "MAC", "GATEWAY"}))
            fuzz::must(text.find(key + "=" + value) != text.npos, "what is read is written there");
    });
}
