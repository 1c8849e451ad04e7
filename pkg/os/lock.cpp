// SPDX-License-Identifier: Apache-2.0
#include "os/lock.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "os/error.h"
#include "os/file.h"
#include "os/signals.h"
#include "os/text.h"

namespace os {
namespace {

/// While it lives, system calls that wait return EINTR every so often: flock(2) knows no timeout. Repeating, so
/// that a tick between two calls is not the last one; short, because a signal to us is noticed at a tick only.
class Ticks {
  public:
    explicit Ticks(const Deadline& deadline) {
        struct sigaction action = {};
        action.sa_handler = [](int) {}; // no SA_RESTART: to interrupt is all it is for
        sigaction(SIGALRM, &action, &old_action_);
        sigset_t alarm;
        sigemptyset(&alarm);
        sigaddset(&alarm, SIGALRM);
        sigprocmask(SIG_UNBLOCK, &alarm, &old_mask_); // whoever started us may have blocked it

        const auto tick = std::clamp<std::chrono::milliseconds>(deadline.left(), least, most);
        itimerval timer = {};
        timer.it_interval.tv_usec = std::chrono::microseconds(tick).count();
        timer.it_value = timer.it_interval;
        setitimer(ITIMER_REAL, &timer, &old_timer_);
    }
    ~Ticks() {
        setitimer(ITIMER_REAL, &old_timer_, nullptr);
        sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
        sigaction(SIGALRM, &old_action_, nullptr);
    }
    Ticks(const Ticks&) = delete;
    Ticks& operator=(const Ticks&) = delete;

  private:
    static constexpr std::chrono::milliseconds least{1}, most{100};
    struct sigaction old_action_ = {};
    sigset_t old_mask_ = {};
    itimerval old_timer_ = {};
};

/// Pid in a line of /proc/locks when it is the holder of a flock on this inode:
/// "1: FLOCK  ADVISORY  WRITE 4242 fd:01:131099 0 EOF". The device is not compared: btrfs shows another than stat(2).
std::optional<std::uint64_t> holder_in(std::string_view line, std::string_view inode) {
    const auto fields = words(line);
    if (fields.size() < 6 || fields[1] != "FLOCK" || !fields[5].ends_with(inode))
        return std::nullopt;
    return parse_uint(fields[4]);
}

std::optional<std::uint64_t> find_holder(const Fd& file) {
    struct stat status;
    if (::fstat(file.get(), &status) != 0)
        return std::nullopt;
    const std::string inode = cat(":", status.st_ino);
    const std::string locks = read_file("/proc/locks", std::size_t(4) << 20).value_or("");
    for (const std::string_view line : split(locks, '\n'))
        if (const auto pid = holder_in(line, inode))
            return pid;
    return std::nullopt;
}

std::string describe_holder(const Fd& file) {
    try {
        if (const auto pid = find_holder(file)) {
            const auto command = read_file(cat("/proc/", *pid, "/comm"), 64);
            return cat("held by pid ", *pid, " (", command ? trim(*command) : "gone", ")");
        }
    } catch (const Error&) {
        // What is asked for is the lock; its holder is a courtesy.
    }
    return "its holder is not visible from here";
}

[[noreturn]] void give_up(const Fd& file, const std::string& path) {
    throw Error::plain(ETIMEDOUT, cat("lock ", path, ": timed out, ", describe_holder(file)));
}

} // namespace

Fd lock_file_at(const Fd& dir, const std::string& name, const Deadline& deadline, bool create) {
    if (!is_component(name))
        throw Error(EINVAL, "lock", quote(name));
    // Not blocking: somebody may have put a FIFO there.
    constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Fd file(::openat(dir.get(), name.c_str(), flags | (create ? O_CREAT : 0), 0750));
    if (!file)
        throw Error(errno, "open", path_at(dir, name));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0)
        return file;

    const Ticks ticks(deadline);
    while (::flock(file.get(), LOCK_EX) != 0) {
        if (errno != EINTR)
            throw Error(errno, "lock", path_at(dir, name));
        poll_signals();
        if (deadline.passed())
            give_up(file, path_at(dir, name));
    }
    return file;
}

} // namespace os
