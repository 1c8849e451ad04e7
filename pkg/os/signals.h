// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <csignal>
#include <exception>
#include <string_view>

namespace os {

/// Those that ask for an end.
inline constexpr std::array<int, 4> ending_signals{SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/// Thrown at a poll point when one of them is pending: the call unwinds, undoes and answers.
class Interrupted : public std::exception {
  public:
    explicit Interrupted(int signal) noexcept : signal_(signal) {}
    [[nodiscard]] int signal() const noexcept { return signal_; }
    [[nodiscard]] const char* what() const noexcept override { return "interrupted by a signal"; }

  private:
    int signal_;
};

/// Blocks the ending signals (they are polled for) and those that Go programs live on with (USR1, ALRM, …), and ignores
/// PIPE: a closed stdout is an error, not a death, as is a file that is too large.
void block_signals() noexcept;
/// Throws Interrupted when a blocked signal is pending; consumes it.
void poll_signals();
/// On SEGV, BUS, ILL, FPE, ABRT and SYS (a seccomp filter; stack overflow included: alternate stack) writes `document`
/// to stdout and exits 1; so it does when a library calls exit() (libnftnl's way with what it does not understand).
/// `document` must stay valid; empty switches the answer off (once the real one has been written).
void answer_crashes_with(std::string_view document) noexcept;

} // namespace os
