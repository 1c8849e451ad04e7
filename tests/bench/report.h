// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "contestant.h"

namespace bench {

/// The samples of one case by contestant.
class Case {
  public:
    explicit Case(std::string name) : name_(std::move(name)) {}
    void add(const std::string& contestant, const Sample& sample) { samples_[contestant].push_back(sample); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool has(const std::string& contestant) const { return samples_.contains(contestant); }
    /// Percentile of the wall time, in microseconds; 0.5 is the median, 1 the maximum.
    [[nodiscard]] double at(const std::string& contestant, double percentile) const;
    [[nodiscard]] double median(const std::string& contestant) const { return at(contestant, 0.5); }
    /// Median of what a step measured other than time.
    [[nodiscard]] double median_of(const std::string& contestant, double Sample::*value) const;
    [[nodiscard]] int failures(const std::string& contestant) const;
    [[nodiscard]] std::size_t count(const std::string& contestant) const;

  private:
    std::string name_;
    std::map<std::string, std::vector<Sample>> samples_;
};

/// A table: one line a case, for each contestant median / p95 / p99 / max, then ratios of medians to "ours".
std::string table(const std::vector<Case>& cases, const std::vector<std::string>& contestants);
std::string milliseconds(double microseconds); ///< without the unit

} // namespace bench
