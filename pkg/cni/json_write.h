// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Writing JSON as Go's MarshalIndent lays it out: four spaces a level, no newline at the end. Within pkg/cni only.
namespace cni::json {

/// `text` with every byte that is not part of valid UTF-8 replaced by U+FFFD, as Go does.
[[nodiscard]] std::string valid_utf8(std::string_view text);
/// A JSON string with its quotes.
[[nodiscard]] std::string literal(std::string_view text);

/// An object's keys with their values, already written one level deeper than the object.
using Members = std::vector<std::pair<std::string_view, std::string>>;
[[nodiscard]] std::string object(const Members& members, unsigned depth);
/// Items written at depth + 1.
[[nodiscard]] std::string list(const std::vector<std::string>& items, unsigned depth);

} // namespace cni::json
