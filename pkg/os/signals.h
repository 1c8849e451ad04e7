// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string_view>

namespace os {

/// Thrown at a poll point when TERM, INT or HUP is pending: the call unwinds, undoes and answers.
class Interrupted : public std::exception {
  public:
    explicit Interrupted(int signal) noexcept : signal_(signal) {}
    [[nodiscard]] int signal() const noexcept { return signal_; }
    [[nodiscard]] const char* what() const noexcept override { return "interrupted by a signal"; }

  private:
    int signal_;
};

/// Blocks TERM, INT and HUP (they are polled for) and ignores PIPE (a closed stdout is an error, not a death).
void block_signals() noexcept;
/// Throws Interrupted when a blocked signal is pending; consumes it.
void poll_signals();
/// On SEGV, BUS, ILL, FPE and ABRT (stack overflow included: alternate stack) writes `document` to stdout and
/// exits 1; so it does when a library calls exit() (libnftnl's way with what it does not understand).
/// `document` must stay valid; empty switches the answer off (once the real one has been written).
void answer_crashes_with(std::string_view document) noexcept;

} // namespace os
