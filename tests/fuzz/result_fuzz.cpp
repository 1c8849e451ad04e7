// SPDX-License-Identifier: Apache-2.0
// prevResult in every version, and each converted to each.
#include <array>

#include "cni/result.h"
#include "fuzz.h"

namespace {

constexpr std::array<std::string_view, 7> versions{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

void round_trip(const cni::Result& result) {
    for (const std::string_view version : versions) {
        fuzz::survive([&] {
            const std::string written = result.write(version);
            const auto again = cni::Result::read(cni::Object::parse(written), version);
            fuzz::must(again.write(version) == written, "a result that was written reads the same");
        });
    }
}

} // namespace

FUZZ_TARGET(result) {
    fuzz::survive([&] {
        const cni::Object document = cni::Object::parse(fuzz::text_of(input));
        const std::string own = document.text("cniVersion", "1.1.0");
        for (const std::string_view version : {"0.2.0", "0.4.0", "1.0.0"}) // a version of each shape
            fuzz::survive([&] { (void)cni::Result::read(document, version); });
        round_trip(cni::Result::read(document, own));
    });
}
