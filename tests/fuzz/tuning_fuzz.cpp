// SPDX-License-Identifier: Apache-2.0
// tuning: config, sysctl keys, the saved state of a link, the allow list's patterns.
#include "config.h"
#include "fuzz.h"
#include "link_state.h"
#include "pattern.h"
#include "sysctls.h"

FUZZ_TARGET(tuning) {
    fuzz::survive([&] {
        const cni::Invocation call = fuzz::call_of(input);
        (void)tuning::data_dir_leniently(call);
        const auto config = tuning::parse(call);
        for (const auto& target : tuning::targets(config.sysctls, call.ifname)) {
            for (const std::string& path : target.paths)
                fuzz::must(path.find("/../") == std::string::npos && !path.starts_with("../"), "no way up");
        }
    });
}

FUZZ_TARGET(tuning_state) {
    if (const auto state = tuning::read(fuzz::text_of(input)))
        fuzz::must(tuning::read(tuning::write(*state)) == state, "a saved state reads as it is written");
}

FUZZ_TARGET(pattern) {
    const auto text = fuzz::text_of(input);
    const auto line = text.find('\n');
    fuzz::survive([&] {
        const tuning::Pattern pattern(text.substr(0, line));
        (void)pattern.is_found_in(line == std::string_view::npos ? "net.ipv4.conf.all.forwarding"
                                                                 : text.substr(line + 1));
    });
}
