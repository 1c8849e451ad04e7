// SPDX-License-Identifier: Apache-2.0
#include "goals.h"

#include <cmath>
#include <cstdio>

namespace bench {

namespace {

std::string figure(double value, const Goal& goal) {
    char text[64];
    const bool whole = !goal.unit.empty() && value == std::floor(value);
    std::snprintf(text, sizeof text, whole ? "%.0f" : "%.3f", value);
    return text + (goal.unit.empty() ? "" : " " + goal.unit);
}

} // namespace

std::string goal_table(const std::vector<Goal>& goals) {
    std::string out = "| goal | at most | measured | reached |\n|---|---|---|---|\n";
    for (const Goal& goal : goals)
        out += "| " + goal.what + " | " + (goal.at_least ? "at least " : "") + figure(goal.limit, goal) + " | " +
               figure(goal.measured, goal) + " | " + (goal.reached() ? "yes" : "**no**") + " |\n";
    return out;
}

} // namespace bench
