// SPDX-License-Identifier: Apache-2.0
// What takes a second process to show: locks, children, signals, crashes, warnings.
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/error.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/log.h"
#include "os/netlink_attribute.h"
#include "os/netlink_message.h"
#include "os/output.h"
#include "os/process.h"
#include "os/signals.h"
#include "os/text.h"

namespace {

using namespace std::chrono_literals;

struct Scratch {
    Scratch() {
        char name[] = "/tmp/cnative-os-XXXXXX";
        path = ::mkdtemp(name);
        dir = os::open_dir(path);
    }
    ~Scratch() { std::filesystem::remove_all(path); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    [[nodiscard]] std::string script(const std::string& name, const std::string& body) const {
        REQUIRE(os::create_file_at(dir, name, "#!/bin/sh\n" + body + "\n", 0700));
        return path + "/" + name;
    }

    std::string path;
    os::Fd dir;
};

/// Signals of a case stay in the case.
struct SignalScope {
    SignalScope() { sigprocmask(SIG_SETMASK, nullptr, &mask); }
    ~SignalScope() {
        sigprocmask(SIG_SETMASK, &mask, nullptr);
        signal(SIGPIPE, SIG_DFL);
    }
    SignalScope(const SignalScope&) = delete;
    SignalScope& operator=(const SignalScope&) = delete;
    sigset_t mask = {};
};

pid_t fork_into(const std::function<void()>& body) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        body();
        ::_exit(0);
    }
    return pid;
}

int wait_for(pid_t pid) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    return status;
}

struct Pipe {
    Pipe() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        read = os::Fd(ends[0]);
        write = os::Fd(ends[1]);
    }
    /// Everything until the last writer has gone.
    std::string rest() {
        write.reset();
        std::string out;
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(read.get(), buffer, sizeof buffer)) > 0;)
            out.append(buffer, static_cast<std::size_t>(size));
        return out;
    }
    os::Fd read, write;
};

/// What a process that does `crash` leaves on stdout, and its wait status.
std::pair<std::string, int> crash_output(const std::function<void()>& crash, const char* document) {
    Pipe pipe;
    const pid_t pid = fork_into([&] {
        ::dup2(pipe.write.get(), STDOUT_FILENO);
        os::answer_crashes_with(document);
        crash();
    });
    const std::string out = pipe.rest();
    return {out, wait_for(pid)};
}

std::string failure(const std::function<void()>& action, int expected_err) {
    try {
        action();
    } catch (const os::Error& error) {
        CHECK(error.err() == expected_err);
        return error.what();
    }
    return "no failure";
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
[[gnu::noinline]] int overflow_stack(int depth) { // NOLINT(misc-no-recursion)
    volatile char frame[1024];
    frame[0] = static_cast<char>(depth);
    return overflow_stack(depth + 1) + frame[0];
}
#pragma GCC diagnostic pop

} // namespace

TEST_CASE("a lock that is free is taken, and given back when the descriptor closes") {
    const Scratch scratch;
    for (int round = 0; round < 2; ++round) {
        const os::Fd lock = os::lock_file_at(scratch.dir, "lock", os::Deadline::in(1s));
        const os::Fd other(::open((scratch.path + "/lock").c_str(), O_RDONLY | O_CLOEXEC));
        CHECK(::flock(other.get(), LOCK_EX | LOCK_NB) != 0);
    }
    struct stat status;
    REQUIRE(::stat((scratch.path + "/lock").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0750);
}

TEST_CASE("a lock that stays taken names its holder at the deadline") {
    const Scratch scratch;
    Pipe ready;
    const pid_t holder = fork_into([&] {
        const os::Fd lock = os::lock_file_at(scratch.dir, "lock", os::Deadline::in(1s));
        ready.write.reset();
        ::pause();
    });
    ready.rest();

    // Whoever started us may have blocked SIGALRM.
    const SignalScope scope;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, nullptr);

    const auto before = std::chrono::steady_clock::now();
    const std::string text =
        failure([&] { (void)os::lock_file_at(scratch.dir, "lock", os::Deadline::in(150ms)); }, ETIMEDOUT);
    const auto taken = std::chrono::steady_clock::now() - before;
    const std::string comm(os::trim(*os::read_file("/proc/self/comm", 64)));
    CHECK(text == os::cat("lock ", scratch.path, "/lock: timed out, held by pid ", holder, " (", comm, ")"));
    CHECK(taken >= 150ms);
    CHECK(taken < 2s);

    ::kill(holder, SIGKILL);
    wait_for(holder);
    CHECK_NOTHROW((void)os::lock_file_at(scratch.dir, "lock", os::Deadline::in(1s)));
}

TEST_CASE("waiting for a lock ends as soon as it is free") {
    const Scratch scratch;
    Pipe ready;
    const pid_t holder = fork_into([&] {
        const os::Fd lock = os::lock_file_at(scratch.dir, "lock", os::Deadline::in(1s));
        ready.write.reset();
        ::usleep(50'000);
    });
    ready.rest();
    CHECK_NOTHROW((void)os::lock_file_at(scratch.dir, "lock", os::Deadline::in(10s)));
    wait_for(holder);
}

TEST_CASE("a signal ends the wait for a lock") {
    const Scratch scratch;
    const SignalScope scope;
    os::block_signals();
    const os::Fd held = os::lock_file_at(scratch.dir, "lock", os::Deadline::in(1s));
    const pid_t self = ::getpid();
    const pid_t sender = fork_into([&] {
        ::usleep(30'000);
        ::kill(self, SIGTERM);
    });
    CHECK_THROWS_AS((void)os::lock_file_at(scratch.dir, "lock", os::Deadline::in(20s)), os::Interrupted);
    wait_for(sender);
}

TEST_CASE("a lock is not a symbolic link, and its name one component") {
    const Scratch scratch;
    REQUIRE(::symlink("/tmp/elsewhere", (scratch.path + "/lock").c_str()) == 0);
    CHECK(failure([&] { (void)os::lock_file_at(scratch.dir, "lock", os::Deadline::in(1s)); }, ELOOP) ==
          "open " + scratch.path + "/lock: too many levels of symbolic links");
    CHECK(failure([&] { (void)os::lock_file_at(scratch.dir, "../x", os::Deadline::in(1s)); }, EINVAL) ==
          R"(lock "../x": invalid argument)");
}

TEST_CASE("a child gets exactly its environment and input, and its output comes back") {
    const Scratch scratch;
    const std::string path =
        scratch.script("child", R"(/bin/cat; /usr/bin/tr '\0' '\n' </proc/$$/environ; echo oops >&2; exit 3)");
    ::setenv("CNI_LEAK", "x", 1);
    auto child = os::Child::start(path, {"CNI_COMMAND=ADD", "CNI_ARGS="}, "{\"name\":1}\n");
    const os::Output output = child.wait(os::Deadline::in(20s));
    ::unsetenv("CNI_LEAK");
    CHECK(output.out == "{\"name\":1}\nCNI_COMMAND=ADD\nCNI_ARGS=\n");
    CHECK(output.err == "oops\n");
    REQUIRE(WIFEXITED(output.status));
    CHECK(WEXITSTATUS(output.status) == 3);
}

TEST_CASE("input and output larger than any pipe pass") {
    const Scratch scratch;
    const std::string path = scratch.script("child", "exec /bin/cat");
    const std::string input(3'000'000, 'x');
    auto child = os::Child::start(path, {}, input);
    CHECK((child.wait(os::Deadline::in(20s)).out == input));
}

TEST_CASE("what cannot be executed says why, at the start") {
    const Scratch scratch;
    CHECK(failure([] { (void)os::Child::start("/nonexistent", {}, ""); }, ENOENT) ==
          "fork/exec /nonexistent: no such file or directory");
    CHECK(failure([&] { (void)os::Child::start(scratch.path, {}, ""); }, EACCES) ==
          "fork/exec " + scratch.path + ": permission denied");
    REQUIRE(os::create_file_at(scratch.dir, "garbage", "no program", 0700));
    CHECK(failure([&] { (void)os::Child::start(scratch.path + "/garbage", {}, ""); }, ENOEXEC) ==
          "fork/exec " + scratch.path + "/garbage: exec format error");
}

TEST_CASE("a program that is just being installed is waited for") {
    const Scratch scratch;
    const std::string path = scratch.script("child", "echo ok");
    Pipe ready;
    const pid_t writer = fork_into([&] {
        const os::Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        ready.write.reset();
        ::usleep(60'000);
    });
    ready.rest();
    CHECK(os::Child::start(path, {}, "").wait(os::Deadline::in(20s)).out == "ok\n");
    wait_for(writer);
}

TEST_CASE("a child's signals are back to default") {
    const Scratch scratch;
    const SignalScope scope;
    os::block_signals();
    signal(SIGCHLD, SIG_IGN); // as some runtimes leave it
    // 32 and 33 are libc's own: a posix_spawn that started us (GNU make's) has them ignored, and nobody may change
    // that.
    const std::string path = scratch.script(
        "child", "exec /bin/sed -nE 's/^(SigIgn.*)180000000$/\\1000000000/; /^Sig(Blk|Ign)/p' /proc/self/status");
    CHECK(os::Child::start(path, {}, "").wait(os::Deadline::in(20s)).out ==
          "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("a child that does not end is killed at the deadline") {
    const Scratch scratch;
    const std::string path = scratch.script("child", "exec /bin/sleep 60");
    auto child = os::Child::start(path, {}, "");
    CHECK(failure([&] { (void)child.wait(os::Deadline::in(100ms)); }, ETIMEDOUT) == "wait for " + path + ": timed out");

    // Closing the pipes early does not save it.
    auto silent = os::Child::start(scratch.script("silent", "exec >&- 2>&-; exec /bin/sleep 60"), {}, "");
    failure([&] { (void)silent.wait(os::Deadline::in(300ms)); }, ETIMEDOUT);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("a child is killed at the deadline even when waiting for it is refused") { // it was asked for ever, busily
    const Scratch scratch;
    auto child = os::Child::start(scratch.script("child", "exec /bin/sleep 60"), {}, "");
    rlimit old;
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    const rlimit less = {.rlim_cur = 1, .rlim_max = old.rlim_max}; // poll(2) takes no more than that
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &less) == 0);
    const std::string text = failure([&] { (void)child.wait(os::Deadline::in(100ms)); }, ETIMEDOUT);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(text == "wait for " + scratch.path + "/child: timed out");
}

TEST_CASE("a child that says too much is stopped; on stderr it is cut") {
    const Scratch scratch;
    const std::string flood = scratch.script("flood", "exec /bin/cat /dev/zero");
    auto child = os::Child::start(flood, {}, "");
    CHECK(failure([&] { (void)child.wait(os::Deadline::in(20s)); }, EMSGSIZE) ==
          "read the output of " + flood + ": message too long");

    auto noisy =
        os::Child::start(scratch.script("noisy", "head -c 200000 /dev/zero >&2; echo ok"), {"PATH=/bin:/usr/bin"}, "");
    const os::Output output = noisy.wait(os::Deadline::in(20s));
    CHECK(output.out == "ok\n");
    CHECK(output.err.size() == 65536);
}

TEST_CASE("a pending signal is passed on to the child, and thrown at the next poll point") {
    const Scratch scratch;
    const SignalScope scope;
    os::block_signals();
    const std::string path = scratch.script("child", "trap 'echo terminated; exit 7' TERM; : >started; "
                                                     "while :; do /bin/sleep 0.02; done");
    const std::string cwd = std::filesystem::current_path();
    REQUIRE(::chdir(scratch.path.c_str()) == 0);
    auto child = os::Child::start(path, {}, "");
    REQUIRE(::chdir(cwd.c_str()) == 0);
    while (!os::read_file(scratch.path + "/started", 1))
        ::usleep(5000);

    raise(SIGTERM);
    const os::Output output = child.wait(os::Deadline::in(20s));
    CHECK(output.out == "terminated\n");
    CHECK(WEXITSTATUS(output.status) == 7);
    CHECK_THROWS_AS(os::poll_signals(), os::Interrupted);
}

TEST_CASE("a child dies with its parent") {
    const Scratch scratch;
    const std::string path = scratch.script("child", "echo running >&9; exec /bin/sleep 60");
    Pipe held; // by the grandchild: end of file on it shows that it is gone
    const pid_t middle = fork_into([&] {
        ::dup2(held.write.get(), 9); // without O_CLOEXEC
        auto child = os::Child::start(path, {}, "");
        ::pause();
    });
    char word[8];
    REQUIRE(::read(held.read.get(), word, sizeof word) == 8);
    ::kill(middle, SIGKILL); // no destructor runs
    wait_for(middle);

    held.write.reset();
    pollfd end = {.fd = held.read.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&end, 1, 10'000) == 1);
    CHECK(end.revents == POLLHUP);
}

TEST_CASE("every crash is answered with the document and exit 1") {
    const std::string document = R"({"code":999,"msg":"crashed"})";
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS}) {
        const auto [out, status] = crash_output([signal] { ::raise(signal); }, document.c_str());
        CHECK(out == document);
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 1);
    }
    const auto [out, status] = crash_output([] { overflow_stack(0); }, document.c_str());
    CHECK(out == document);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("a library that ends the process is answered like a crash") { // libnftnl may
    const auto [out, status] = crash_output([] { std::exit(0); }, "crashed");
    CHECK(out == "crashed");
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
}

// libmnl takes a length of 2^31 for a negative one.
TEST_CASE("a netlink message whose length is that of nothing received is not whole, nor an errno that is none") {
    nlmsghdr message{};
    for (const std::uint32_t length : {0U, 15U, 65U, 0x80000000U, 0xfa004180U, 0xffffffffU}) {
        message.nlmsg_len = length;
        CHECK(!os::is_whole(&message, 64));
    }
    for (const std::uint32_t length : {16U, 63U, 64U}) {
        message.nlmsg_len = length;
        CHECK(os::is_whole(&message, 64));
    }
    CHECK(!os::is_whole(&message, -4));
    CHECK(os::errno_of(0) == 0);
    CHECK(os::errno_of(-ENOENT) == ENOENT);
    for (const int none : {1, -4096, INT_MIN})
        CHECK(os::errno_of(none) == EBADMSG);
}

TEST_CASE("netlink attributes are read up to the first that is not whole, and no further") {
    // Type 1 holds "ab", type 2 nothing, type 3 says that it is longer than what is there.
    const std::vector<std::uint8_t> bytes{6, 0, 1, 0, 'a', 'b', 0, 0, 4, 0, 2, 0x80, 9, 0, 3, 0, 'c'};
    std::string seen;
    os::for_each_attribute(
        bytes, [&](int type, os::Payload payload) { seen += os::cat(type, ":", os::text_in(payload), " "); });
    CHECK(seen == "1:ab 2: ");
    CHECK(os::text_in(os::attribute_in(bytes, 1)) == "ab");
    CHECK(os::attribute_in(bytes, 3).empty());
    CHECK(os::attribute_in(os::Payload(bytes).first(5), 1).empty());
    const std::vector<std::uint8_t> endless{0, 0, 1, 0}, too_short{3, 0, 1, 0}; // than their own header
    CHECK(os::attribute_in(endless, 1).empty());
    CHECK(os::attribute_in(too_short, 1).empty());
}

TEST_CASE("netlink attributes: numbers lie in network order, texts end with a NUL or the attribute") {
    const std::vector<std::uint8_t> bytes{1, 2, 3, 4, 'a', 0, 'b', 'c'};
    CHECK(os::number_in<std::uint32_t>(bytes) == 0x01020304);
    CHECK(os::number_in<std::uint64_t>(bytes) == 0x0102030461006263);
    CHECK(!os::number_in<std::uint64_t>(os::Payload(bytes).first(7)));
    CHECK(os::text_in(os::Payload(bytes).subspan(4)) == "a");
    CHECK(os::text_in(os::Payload(bytes).subspan(6)) == "bc");
    CHECK(os::text_in({}).empty());
}

TEST_CASE("netlink attributes: a message too short for its family's header has none") {
    struct {
        nlmsghdr header;
        std::uint8_t rest[8];
    } message{.header = {}, .rest = {0, 0, 0, 0, 4, 0, 1, 0}};
    for (const std::uint32_t length : {0U, 16U, 19U, 20U}) {
        message.header.nlmsg_len = length;
        CHECK(os::attributes_of(&message.header, 3).empty());
    }
    message.header.nlmsg_len = 24;
    CHECK(os::attributes_of(&message.header, 3).size() == 4);
}

TEST_CASE("a crash after the answer says nothing more, and ends as it would without us") {
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS}) {
        const auto [out, status] = crash_output(
            [signal] {
                const rlimit none = {};
                ::setrlimit(RLIMIT_CORE, &none);
                os::answer_crashes_with({});
                if (signal == SIGABRT)
                    std::abort();
                std::raise(signal);
            },
            "document");
        CHECK(out.empty());
        REQUIRE(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == signal);
    }
}

TEST_CASE("a closed stdout is an error, not a death") {
    const SignalScope scope;
    os::block_signals();
    Pipe pipe;
    pipe.read.reset();
    CHECK(::write(pipe.write.get(), "x", 1) == -1);
    CHECK(errno == EPIPE);
}

TEST_CASE("a reader who does not read is waited for until the deadline, one who does gets everything") {
    const SignalScope scope;
    os::block_signals();
    const std::string much(300'000, 'x');
    Pipe full;
    CHECK_FALSE(os::write_all(full.write.get(), much, os::Deadline::in(50ms)));
    CHECK(errno == ETIMEDOUT);

    Pipe pipe;
    const pid_t reader = fork();
    if (reader == 0) {
        pipe.write.reset();
        std::size_t total = 0;
        char buffer[1000];
        for (ssize_t size; (size = ::read(pipe.read.get(), buffer, sizeof buffer)) > 0;)
            total += static_cast<std::size_t>(size);
        ::_exit(total == much.size() ? 0 : 1);
    }
    CHECK(os::write_all(pipe.write.get(), much, os::Deadline::in(20s)));
    pipe.write.reset();
    int status = 0;
    ::waitpid(reader, &status, 0);
    CHECK(status == 0);
}

TEST_CASE("a warning is one line with the plugin's name and no control bytes") {
    Pipe pipe;
    const pid_t pid = fork_into([&] {
        ::dup2(pipe.write.get(), STDERR_FILENO);
        os::set_log_name("bridge");
        os::warn("key \"a\nb\x1b[2J\" is unknown");
    });
    CHECK(pipe.rest() == "bridge: warning: key \"a\\x0ab\\x1b[2J\" is unknown\n");
    wait_for(pid);
}
