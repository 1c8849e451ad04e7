// SPDX-License-Identifier: Apache-2.0
#include "allow_list.h"

#include <algorithm>

#include "cni/error.h"
#include "os/file.h"
#include "os/text.h"
#include "pattern.h"

namespace tuning {

namespace {

constexpr std::size_t longest_list = std::size_t{1} << 20;

std::optional<std::vector<std::string>> read_lines() {
    const auto content = os::read_file(allow_list_path, longest_list);
    if (!content)
        return std::nullopt;
    std::vector<std::string> lines;
    for (const std::string_view line : os::split(*content, '\n')) {
        if (const std::string_view trimmed = os::trim(line); !trimmed.empty())
            lines.emplace_back(trimmed);
    }
    return lines;
}

} // namespace

void check_allowed(std::span<const Sysctl> sysctls) {
    if (sysctls.empty())
        return;
    const auto lines = read_lines();
    if (!lines)
        return;
    // All of them are read, so that a broken line is told whatever is in front of it.
    const std::vector<Pattern> patterns(lines->begin(), lines->end());
    for (const Sysctl& sysctl : sysctls) {
        const auto allows = [&](const Pattern& pattern) { return pattern.is_found_in(sysctl.key); };
        if (std::ranges::none_of(patterns, allows))
            throw cni::Error(os::cat("Sysctl ", sysctl.key,
                                     " is not allowed. Only the following sysctls are allowed: [",
                                     os::join(*lines, " "), "]"));
    }
}

} // namespace tuning
