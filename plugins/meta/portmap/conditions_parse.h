// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conditions.h"

// What the readers of the two condition languages share.
namespace portmap {

/// The words of one list, taken one by one, and what has been understood so far.
class ConditionReader {
  public:
    ConditionReader(std::string_view key, inet::Family family, std::vector<std::string> words)
        : key_(key), family_(family), words_(std::move(words)) {}

    [[nodiscard]] inet::Family family() const { return family_; }
    [[nodiscard]] bool done() const { return at_ == words_.size(); }
    /// Takes the word ahead when it is `word`.
    bool skip(std::string_view word);
    [[nodiscard]] std::string_view take() { return words_[at_++]; }
    /// Takes the word that must follow `option`.
    [[nodiscard]] std::string_view value_of(std::string_view option);

    [[noreturn]] void refuse(std::string_view word, std::string_view why) const;
    [[noreturn]] void refuse_unsupported(std::string_view word) const;

    /// The packet must meet one of them; not one of them when they are negated.
    void require(std::vector<Match> alternatives);
    /// Everything required, multiplied out into lines.
    [[nodiscard]] Conditions finish() const;

    // Values; each is refused by name when it is not one.
    [[nodiscard]] Match address(Match::Field field, std::string_view word) const; ///< "a", "a/24", "a-b"
    [[nodiscard]] Match ports(Match::Field field, std::string_view word, char range_sign) const;
    [[nodiscard]] Match interface(Match::Field field, std::string_view word, char wildcard) const;
    [[nodiscard]] Match protocol(std::string_view word) const;
    [[nodiscard]] std::uint32_t number(std::string_view word) const; ///< decimal, 0x hexadecimal, 0 octal

  private:
    std::string_view key_;
    inet::Family family_;
    std::vector<std::string> words_;
    std::size_t at_ = 0;
    std::vector<std::vector<Match>> required_;
};

// One language each: split a list into words, read one option or expression of them.
[[nodiscard]] std::vector<std::string> iptables_words(std::span<const std::string> tokens);
void read_iptables(ConditionReader& reader);
[[nodiscard]] std::vector<std::string> nftables_words(std::string_view text);
void read_nftables(ConditionReader& reader);

} // namespace portmap
