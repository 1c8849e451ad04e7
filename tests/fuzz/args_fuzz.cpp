// SPDX-License-Identifier: Apache-2.0
// CNI_ARGS.
#include "cni/args.h"
#include "fuzz.h"

FUZZ_TARGET(args) {
    const auto text = fuzz::text_of(input);
    const auto lenient = cni::parse_args_leniently(text);
    fuzz::survive([&] {
        for (const auto& [key, value] : cni::parse_args(text, {"IP", "MAC", "GATEWAY"})) {
            const auto place = lenient.find(key);
            fuzz::must(place != lenient.end() && place->second == value, "DEL reads what ADD reads");
        }
    });
}
