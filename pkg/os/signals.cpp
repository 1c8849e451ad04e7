// SPDX-License-Identifier: Apache-2.0
#include "os/signals.h"

#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <ctime>

#include <poll.h>
#include <unistd.h>

namespace os {
namespace {

constexpr int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
// They come to a whole process group or cgroup, where a USR1 asks the runtime for its state, or from a limit or a timer
// of the caller's. A Go program takes no notice, so callers send them without a thought for plugins.
constexpr int unheeded[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ};

// Static, because a crash handler may not allocate. Large enough for the widest register frames (AMX).
constexpr std::size_t alternate_stack_size = std::size_t(64) * 1024;
alignas(16) constinit char alternate_stack[alternate_stack_size] = {};
constinit const char* volatile answer = nullptr;
constinit volatile std::size_t answer_size = 0;

sigset_t polled_signals() noexcept {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : ending_signals)
        sigaddset(&set, signal);
    return set;
}

void set_disposition(int signal, void (*handler)(int), int flags) noexcept {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(signal, &action, nullptr);
}

[[noreturn]] void give_answer() noexcept {
    const char* data = answer;
    for (std::size_t left = answer_size; left > 0;) {
        constexpr int patience_ms = 10'000;
        pollfd writable{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
        if (::poll(&writable, 1, patience_ms) == 0)
            break;
        const ssize_t written = ::write(STDOUT_FILENO, data, left < PIPE_BUF ? left : PIPE_BUF);
        if (written <= 0)
            break;
        data += written;
        left -= static_cast<std::size_t>(written);
    }
    ::_exit(1);
}

void on_crash(int signal) {
    if (answer_size > 0)
        give_answer();
    set_disposition(signal, SIG_DFL, 0); // answered already: it ends as it would without us
    (void)std::raise(signal);            // once we return
}

void on_exit() noexcept {
    if (answer_size > 0)
        give_answer();
}

} // namespace

void block_signals() noexcept {
    sigset_t set = polled_signals();
    for (const int signal : unheeded)
        sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    set_disposition(SIGPIPE, SIG_IGN, 0);
}

void poll_signals() {
    const sigset_t set = polled_signals();
    const timespec now = {};
    const int signal = sigtimedwait(&set, nullptr, &now);
    if (signal > 0)
        throw Interrupted(signal);
}

void answer_crashes_with(std::string_view document) noexcept {
    answer_size = 0;
    answer = document.data();
    answer_size = document.size();
    if (document.empty())
        return; // without a system call: nearly every call comes here

    static const int registered = std::atexit(on_exit);
    (void)registered;
    stack_t stack = {};
    stack.ss_sp = alternate_stack;
    stack.ss_size = alternate_stack_size;
    sigaltstack(&stack, nullptr);

    for (const int signal : crashes)
        set_disposition(signal, on_crash, SA_ONSTACK);
}

} // namespace os
