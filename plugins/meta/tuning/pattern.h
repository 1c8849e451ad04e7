// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>
#include <vector>

namespace tuning {

/// A regular expression of the allow list, in the syntax of the Go suite's (RE2): literals, `.`, classes, groups,
/// alternatives, repetitions, `^ $ \A \z \b \B \d \s \w`, `(?i)`. What RE2 has beyond that, and whatever is not ASCII,
/// is refused rather than guessed at: the list says what is allowed. Matching takes time in proportion to the text.
class Pattern {
  public:
    /// Throws cni::Error: error parsing regexp: <why>: `<pattern>`
    explicit Pattern(std::string_view pattern);
    /// Whether it matches anywhere in `text`.
    [[nodiscard]] bool is_found_in(std::string_view text) const;

    /// The program of a state machine that follows all ways at once.
    struct Step {
        enum class Kind { byte, fork, assertion, match };
        Kind kind = Kind::match;
        std::bitset<256> bytes{};          ///< byte: those it takes
        char assertion = 0;                ///< ^ $ b B
        std::size_t next = 0, or_next = 0; ///< where to go on; or_next: of a fork
    };

  private:
    std::vector<Step> program_;
};

} // namespace tuning
