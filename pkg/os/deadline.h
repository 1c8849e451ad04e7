// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

namespace os {

/// A point on the monotonic clock after which a wait gives up. Nothing in this suite waits without one.
class Deadline {
  public:
    [[nodiscard]] static Deadline in(std::chrono::milliseconds span) {
        return Deadline(std::chrono::steady_clock::now() + span);
    }
    /// Never negative.
    [[nodiscard]] std::chrono::milliseconds left() const {
        const auto span = at_ - std::chrono::steady_clock::now();
        return span.count() < 0 ? std::chrono::milliseconds(0)
                                : std::chrono::duration_cast<std::chrono::milliseconds>(span);
    }
    /// What poll(2) takes: rounded up, so that the last wait does not become a series of empty ones.
    [[nodiscard]] int poll_timeout() const {
        if (passed())
            return 0;
        const auto ms = left().count() + 1;
        return static_cast<int>(std::min<decltype(ms)>(ms, std::numeric_limits<int>::max()));
    }
    [[nodiscard]] bool passed() const { return std::chrono::steady_clock::now() >= at_; }
    [[nodiscard]] bool operator<(const Deadline& other) const { return at_ < other.at_; }

  private:
    explicit Deadline(std::chrono::steady_clock::time_point at) : at_(at) {}
    std::chrono::steady_clock::time_point at_;
};

} // namespace os
