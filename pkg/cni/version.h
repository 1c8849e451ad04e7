// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <span>
#include <string_view>

namespace cni {

/// The versions this suite speaks, oldest first: 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0.
[[nodiscard]] std::span<const std::string_view> supported_versions();
inline constexpr std::string_view newest_version = "1.1.0";

/// Up to three decimal parts, missing ones are 0; throws Error(decoding_failure) in the Go suite's words.
struct Version {
    unsigned major = 0, minor = 0, micro = 0;
    [[nodiscard]] static Version parse(std::string_view text);
    [[nodiscard]] auto operator<=>(const Version&) const = default;
};

} // namespace cni
