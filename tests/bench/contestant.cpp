// SPDX-License-Identifier: Apache-2.0
#include "contestant.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "bench: %s: %s\n", what.c_str(), std::strerror(errno));
    std::_Exit(1);
}

int file_with(const std::string& content) {
    const int fd = memfd_create("bench", MFD_CLOEXEC);
    (void)!write(fd, content.data(), content.size());
    lseek(fd, 0, SEEK_SET);
    return fd;
}

pid_t start(const World& world, const Call& call, int in, int out) {
    std::map<std::string, std::string> variables = world.environment;
    variables["PATH"] = getenv("PATH");
    variables["CNI_COMMAND"] = call.command;
    variables["CNI_CONTAINERID"] = call.id;
    variables["CNI_NETNS"] = call.netns;
    variables["CNI_IFNAME"] = "eth0";
    variables["CNI_PATH"] = world.bin_dir();
    std::vector<std::string> entries;
    for (const auto& [key, value] : variables)
        entries.push_back(key + "=" + value);
    std::vector<char*> environment;
    for (std::string& entry : entries)
        environment.push_back(entry.data());
    environment.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    std::string path = world.bin_dir() + "/" + call.plugin;
    char* argv[] = {path.data(), nullptr};
    pid_t pid = -1;
    if (posix_spawn(&pid, path.c_str(), &actions, nullptr, argv, environment.data()) != 0)
        die("spawn " + path);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

Sample reap(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return {.failures = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1};
}

double since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void enter_world() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0)
        die("make a private world (root is needed)");
    sh("mkdir -p /run/netns /var/lib/cni");
    if (mount("tmpfs", "/var/lib/cni", "tmpfs", 0, "mode=755") != 0)
        die("mount /var/lib/cni");
    sh("ip link set lo up; ip netns add c1");
}

} // namespace

Sample& Sample::operator+=(const Sample& other) {
    microseconds += other.microseconds;
    peak_kib = std::max(peak_kib, other.peak_kib);
    gigabits += other.gigabits;
    bytes += other.bytes;
    failures += other.failures;
    return *this;
}

World::World(std::string bin_dir) : bin_dir_(std::move(bin_dir)) {}

Sample World::call(const Call& call) {
    const int in = file_with(call.config), out = file_with("");
    const auto begin = Clock::now();
    const pid_t pid = start(*this, call, in, out);
    Sample sample = reap(pid);
    sample.microseconds = since(begin);
    output_.resize(static_cast<std::size_t>(lseek(out, 0, SEEK_END)));
    (void)!pread(out, output_.data(), output_.size(), 0);
    close(in);
    close(out);
    return sample;
}

Sample World::call_all(const std::vector<Call>& calls) {
    std::vector<int> inputs;
    for (const Call& call : calls)
        inputs.push_back(file_with(call.config));
    const int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const auto begin = Clock::now();
    std::vector<pid_t> running;
    for (std::size_t i = 0; i < calls.size(); ++i)
        running.push_back(start(*this, calls[i], inputs[i], out));
    Sample sample;
    for (const pid_t pid : running)
        sample += reap(pid);
    sample.microseconds = since(begin);
    for (const int fd : inputs)
        close(fd);
    close(out);
    return sample;
}

Contestant::Contestant(std::string name, std::string bin_dir, std::map<std::string, Step> steps)
    : name_(std::move(name)) {
    for (const auto& [step, action] : steps)
        order_.push_back(step);
    int requests[2], answers[2];
    if (pipe2(requests, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0)
        die("pipe");
    pid_ = fork();
    if (pid_ == 0) {
        close(requests[1]);
        close(answers[0]);
        enter_world();
        World world(bin_dir);
        for (std::size_t which = 0; read(requests[0], &which, sizeof which) == sizeof which;) {
            const Sample sample = steps.at(order_[which])(world);
            (void)!write(answers[1], &sample, sizeof sample);
        }
        std::_Exit(0);
    }
    close(requests[0]);
    close(answers[1]);
    requests_ = requests[1];
    answers_ = answers[0];
}

Contestant::~Contestant() {
    kill(pid_, SIGKILL); // its namespaces and all in them go with it
    waitpid(pid_, nullptr, 0);
    close(requests_);
    close(answers_);
}

Sample Contestant::run(const std::string& step) {
    const auto which = static_cast<std::size_t>(std::find(order_.begin(), order_.end(), step) - order_.begin());
    Sample sample;
    if (which == order_.size() || write(requests_, &which, sizeof which) != sizeof which ||
        read(answers_, &sample, sizeof sample) != sizeof sample)
        die(name_ + ": " + step + " ended the world");
    return sample;
}

std::string sh(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    std::string out;
    char buffer[4096];
    for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        out.append(buffer, n);
    if (pclose(pipe) != 0)
        die(command);
    return out;
}

} // namespace bench
