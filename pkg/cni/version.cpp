// SPDX-License-Identifier: Apache-2.0
#include "cni/version.h"

#include <array>
#include <charconv>
#include <climits>
#include <vector>

#include "cni/error.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::array<std::string_view, 7> versions{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
static_assert(versions.back() == newest_version);

// A sign is accepted as by Go's Atoi; whatever is below zero is older than every version, as zero is.
unsigned parse_part(std::string_view part, std::string_view which) {
    const std::string_view digits = part.starts_with('+') && !part.starts_with("+-") ? part.substr(1) : part;
    long long value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = end == digits.data() + digits.size();
    if (error == std::errc() && whole && value <= UINT_MAX)
        return value < 0 ? 0 : static_cast<unsigned>(value);
    const bool too_big = whole && error != std::errc::invalid_argument;
    throw Error(Code::decoding_failure,
                os::cat("failed to convert ", which, " version part ", os::quote(part), ": strconv.Atoi: parsing ",
                        os::quote(part), too_big ? ": value out of range" : ": invalid syntax"));
}

} // namespace

std::span<const std::string_view> supported_versions() {
    return versions;
}

Version Version::parse(std::string_view text) {
    if (text.empty())
        return {0, 1, 0};
    const std::vector<std::string_view> parts = os::split(text, '.');
    if (parts.size() > 3)
        throw Error(Code::decoding_failure, os::cat("invalid version ", os::quote(text), ": too many parts"));
    Version version;
    version.major = parse_part(parts[0], "major");
    if (parts.size() > 1)
        version.minor = parse_part(parts[1], "minor");
    if (parts.size() > 2)
        version.micro = parse_part(parts[2], "micro");
    return version;
}

} // namespace cni
