// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The tree behind cni::Object. Members stay in document order, doubles included, so building it takes time in
// proportion to the input whatever the keys are. Within pkg/cni only.
namespace cni::json {

struct Node;
struct Member;
using List = std::pmr::vector<Node>;
using Map = std::pmr::vector<Member>;

/// A number that is no 64-bit integer, as written ("1.5", "1e3").
struct Number {
    std::string text;
};

struct Node {
    std::variant<std::monostate, bool, std::int64_t, Number, std::string, List, Map> value; ///< monostate: null

    template <typename T> [[nodiscard]] const T* as() const { return std::get_if<T>(&value); }
    [[nodiscard]] bool is_null() const { return value.index() == 0; }
};

struct Member {
    std::string key;
    Node value;
};

inline constexpr std::size_t most_bytes = std::size_t{4} << 20;
inline constexpr unsigned most_levels = 64;

/// One whole document within those limits, its lists and objects in `memory`; throws Error(decoding_failure) "<what> at
/// line L column C".
[[nodiscard]] Node parse(std::string_view text, std::pmr::memory_resource& memory);
/// On one line, without blanks.
[[nodiscard]] std::string compact(const Node& node);

} // namespace cni::json
