// SPDX-License-Identifier: Apache-2.0
#include "cni/nearest.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "os/text.h"

namespace cni {

namespace {

/// Insertions, deletions, replacements and swaps of neighbours that make one word the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        before_last = last;
        last = row;
    }
    return last[b.size()];
}

} // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    std::optional<std::string> best;
    std::size_t best_distance = 0;
    for (const std::string& candidate : candidates) {
        const std::size_t limit = std::max<std::size_t>(1, candidate.size() / 4);
        // Lengths first: the word comes from the input and may be megabytes long.
        if (word.size() > candidate.size() + limit || word.size() + limit < candidate.size())
            continue;
        const std::size_t found = distance(os::lower(word), os::lower(candidate));
        if (found <= limit && (!best || found < best_distance)) {
            best = candidate;
            best_distance = found;
        }
    }
    return best;
}

} // namespace cni
