// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "contestant.h"

namespace bench {

enum class Kind { plugins, floor };

/// Everything a contestant can be asked to do. `ours` is the folder of our plugins: they make what the floor program
/// expects to be there; `floor` is that of the floor program. Steps "rss …" put the peak into Sample::peak_kib.
std::map<std::string, Step> steps(Kind kind, const std::string& ours, const std::string& floor);

/// The executables in a folder.
std::vector<std::string> plugins_in(const std::string& folder);

inline constexpr int parallel_calls = 100;
inline constexpr int fewer_calls[] = {1, 10, 30}; ///< further points of the plot

} // namespace bench
