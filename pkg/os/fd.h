// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace os {

/// Sole owner of a file descriptor; -1 means "none". Every descriptor of ours is opened O_CLOEXEC.
class Fd {
  public:
    Fd() noexcept = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor away, to a function that takes it over.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes now; what close() says is of no use, the descriptor is gone either way.
    void reset() noexcept;

  private:
    int fd_ = -1;
};

} // namespace os
