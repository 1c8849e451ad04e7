// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

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
    [[nodiscard]] bool passed() const { return std::chrono::steady_clock::now() >= at_; }

  private:
    explicit Deadline(std::chrono::steady_clock::time_point at) : at_(at) {}
    std::chrono::steady_clock::time_point at_;
};

} // namespace os
