// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "cni/error.h"
#include "cni/invocation.h"
#include "os/error.h"

// One executable holds every target (a target of its own each would link the suite twenty times); its name, that of a
// link beside it, chooses. What a target may throw is cni::Error and os::Error: anything else is a finding.
namespace fuzz {

using Bytes = std::span<const std::uint8_t>;

struct Target {
    Target(const char* target_name, void (*target_run)(Bytes)) : name(target_name), run(target_run), next(first) {
        first = this;
    }
    const char* name;
    void (*run)(Bytes);
    Target* next;
    static inline Target* first = nullptr;
};

inline std::string_view text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The input's first byte, to choose by; the rest stays in `bytes`.
inline unsigned take_byte(Bytes& bytes) {
    const unsigned value = bytes.empty() ? 0 : bytes[0];
    bytes = bytes.subspan(bytes.empty() ? 0 : 1);
    return value;
}

/// A property that does not hold is a finding like a crash.
inline void must(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

template <typename Action> void survive(Action&& action) {
    try {
        action();
    } catch (const cni::Error&) { // NOLINT(bugprone-empty-catch): a refusal is a fine answer
    } catch (const os::Error&) {  // NOLINT(bugprone-empty-catch)
    }
}

/// A plugin's call: the config is the input, but for a first line that does not begin with a brace, which is CNI_ARGS.
cni::Invocation call_of(Bytes input);

/// What the kernel answers to netlink requests from here on: datagrams, each behind its length in two bytes. Their
/// sequence numbers are made to fit the request. After the last one there is silence.
void kernel_says(Bytes answers);

} // namespace fuzz

#define FUZZ_TARGET(name)                                                                                              \
    static void fuzz_##name(fuzz::Bytes input);                                                                        \
    static const fuzz::Target target_##name(#name, fuzz_##name);                                                       \
    static void fuzz_##name(fuzz::Bytes input)
