// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace soak {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{60};

int input(const std::string& content) {
    const int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size()))
        throw std::runtime_error("memfd_create");
    lseek(fd, 0, SEEK_SET);
    return fd;
}

pid_t start(const Call& call, int in, int out) {
    const std::string folder = call.program.substr(0, call.program.rfind('/'));
    const std::vector<std::string> variables = {"CNI_COMMAND=" + call.command, "CNI_CONTAINERID=" + call.id,
                                                "CNI_NETNS=" + call.netns, "CNI_IFNAME=" + call.ifname,
                                                "CNI_PATH=" + folder};
    std::vector<char*> environment;
    for (const std::string& variable : variables)
        environment.push_back(const_cast<char*>(variable.c_str()));
    environment.push_back(nullptr);
    char* const arguments[] = {const_cast<char*>(call.program.c_str()), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t pid = -1;
    const int err = posix_spawn(&pid, call.program.c_str(), &actions, nullptr, arguments, environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (err != 0)
        throw std::runtime_error("cannot start " + call.program);
    return pid;
}

/// Reads to the end of file, sending the signals that are due meanwhile.
void attend(const Call& call, pid_t pid, int out, Outcome& outcome) {
    const auto begin = Clock::now();
    const auto due = begin + std::chrono::microseconds(call.disturbance.after);
    bool pending = call.disturbance.signal != 0;
    for (;;) {
        const auto until = pending ? due : begin + patience;
        const auto left = std::chrono::nanoseconds(until - Clock::now()).count();
        const timespec time{.tv_sec = left <= 0 ? 0 : left / 1'000'000'000,
                            .tv_nsec = left <= 0 ? 0 : left % 1'000'000'000};
        pollfd readable{.fd = out, .events = POLLIN, .revents = 0};
        const int ready = ppoll(&readable, 1, &time, nullptr);
        if (ready == 0) {
            outcome.hung = !pending;
            outcome.sent = pending;
            kill(pid, pending ? call.disturbance.signal : SIGKILL);
            if (!pending)
                return;
            pending = false;
        } else if (ready > 0) {
            char buffer[8192];
            const ssize_t size = read(out, buffer, sizeof buffer);
            if (size <= 0 && errno != EINTR)
                return;
            if (size > 0)
                outcome.out.append(buffer, static_cast<std::size_t>(size));
            if (size == 0)
                return;
        }
    }
}

} // namespace

Disturbance maybe(Random& random, int percent, std::int64_t longest) {
    if (!chance(random, percent))
        return {};
    return {.signal = random() % 3 == 0 ? SIGTERM : SIGKILL,
            .after = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(longest))};
}

bool Outcome::is_sound() const {
    if (hung || (signalled && !sent))
        return false;
    return signalled || (status == 0 && (out.empty() || nlohmann::json::accept(out))) || (says("") && !says("crash"));
}

bool Outcome::says(const std::string& text) const {
    if (signalled || status != 1)
        return false;
    const auto document = nlohmann::json::parse(out, nullptr, false);
    return document.is_object() && document.value("code", 0) > 0 &&
           (document.value("msg", "") + document.value("details", "")).find(text) != std::string::npos;
}

std::string Outcome::text() const {
    std::string flat = out;
    for (char& c : flat)
        c = c == '\n' ? ' ' : c;
    return (hung ? "hung" : (signalled ? "signal " : "exit ") + std::to_string(status)) + (sent ? " (disturbed)" : "") +
           " " + flat.substr(0, 600);
}

Outcome run(const Call& call) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        throw std::runtime_error("pipe2");
    const int in = input(call.config);
    const pid_t pid = start(call, in, ends[1]);
    close(in);
    close(ends[1]);
    Outcome outcome;
    attend(call, pid, ends[0], outcome);
    close(ends[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    outcome.signalled = WIFSIGNALED(status);
    outcome.status = outcome.signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    return outcome;
}

} // namespace soak
