// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {

namespace {

std::string number(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

} // namespace

double Case::at(const std::string& contestant, double percentile) const {
    const auto found = samples_.find(contestant);
    if (found == samples_.end() || found->second.empty())
        return 0;
    std::vector<double> times;
    for (const Sample& sample : found->second)
        times.push_back(sample.microseconds);
    std::ranges::sort(times);
    return times[static_cast<std::size_t>(percentile * static_cast<double>(times.size() - 1) + 0.5)];
}

double Case::median_of(const std::string& contestant, double Sample::*value) const {
    const auto found = samples_.find(contestant);
    if (found == samples_.end() || found->second.empty())
        return 0;
    std::vector<double> values;
    for (const Sample& sample : found->second)
        values.push_back(sample.*value);
    std::ranges::sort(values);
    return values[values.size() / 2];
}

int Case::failures(const std::string& contestant) const {
    int failures = 0;
    if (const auto found = samples_.find(contestant); found != samples_.end()) {
        for (const Sample& sample : found->second)
            failures += sample.failures;
    }
    return failures;
}

std::size_t Case::count(const std::string& contestant) const {
    const auto found = samples_.find(contestant);
    return found == samples_.end() ? 0 : found->second.size();
}

std::string milliseconds(double microseconds) {
    return number(microseconds / 1000, microseconds < 10000 ? 2 : 1);
}

namespace {

/// One number when all have as many.
std::string counts(const Case& one, const std::vector<std::string>& contestants) {
    std::string text;
    bool same = true;
    for (const std::string& contestant : contestants) {
        if (!one.has(contestant))
            continue;
        same = same && one.count(contestant) == one.count(contestants.front());
        text += (text.empty() ? "" : " / ") + std::to_string(one.count(contestant));
    }
    return same ? std::to_string(one.count(contestants.front())) : text;
}

} // namespace

std::string table(const std::vector<Case>& cases, const std::vector<std::string>& contestants) {
    std::string out = "| case | n |", rule = "|---|---|";
    for (const std::string& contestant : contestants) {
        out += " " + contestant + " median / p95 / p99 / max ms |";
        rule += "---|";
    }
    for (const std::string& contestant : contestants) {
        if (contestant != contestants.front()) {
            out += " " + contestants.front() + " ÷ " + contestant + " |";
            rule += "---|";
        }
    }
    out += " failed |\n" + rule + "---|\n";
    for (const Case& one : cases) {
        out += "| " + one.name() + " | " + counts(one, contestants) + " |";
        std::string ratios, failures;
        for (const std::string& contestant : contestants) {
            if (!one.has(contestant)) {
                out += " – |";
                ratios += contestant == contestants.front() ? "" : " – |";
                continue;
            }
            out += " " + milliseconds(one.median(contestant)) + " / " + milliseconds(one.at(contestant, 0.95)) + " / " +
                   milliseconds(one.at(contestant, 0.99)) + " / " + milliseconds(one.at(contestant, 1)) + " |";
            if (contestant != contestants.front())
                ratios += " " + number(one.median(contestants.front()) / one.median(contestant), 3) + " |";
            failures += (failures.empty() ? "" : " / ") + std::to_string(one.failures(contestant));
        }
        out += ratios + " " + failures + " |\n";
    }
    return out;
}

} // namespace bench
