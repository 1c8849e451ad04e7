// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

// Inputs for the plugins as a whole: sound ones, and what random changes make of them.
namespace fuzz {

using nlohmann::json;
using Random = std::mt19937_64;

inline std::size_t below(Random& random, std::size_t limit) {
    return random() % limit;
}
inline bool once_in(Random& random, unsigned times) {
    return below(random, times) == 0;
}
template <typename Value> const Value& one_of(Random& random, const std::vector<Value>& values) {
    return values[below(random, values.size())];
}

struct Input {
    std::string plugin, command, id, netns, ifname, args, config;
};

/// A sound call, or one of which some values, bytes or variables are others.
[[nodiscard]] Input make_input(Random& random);

} // namespace fuzz
