// SPDX-License-Identifier: Apache-2.0
#include "os/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/error.h"
#include "os/signals.h"
#include "os/text.h"

namespace os {
namespace {

constexpr std::size_t most_out = std::size_t(4) << 20, most_err = std::size_t(64) << 10;
constexpr std::size_t stack_size = std::size_t(64) << 10;
constexpr std::chrono::milliseconds reap_limit{2000};
constexpr std::chrono::seconds patience_after_signal{5};

// --- starting -----------------------------------------------------------------------------------------------------

struct Pipe {
    Fd read, write;
};

/// Descriptors 0 to 2 are what the child gets ours onto, and we may have been started with some of them closed.
Fd above_stdio(Fd fd) {
    if (fd.get() > STDERR_FILENO)
        return fd;
    Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!moved)
        throw Error(errno, "dup", {});
    return moved;
}

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw Error(errno, "pipe", {});
    Fd read(ends[0]), write(ends[1]);
    return {above_stdio(std::move(read)), above_stdio(std::move(write))};
}

void write_input(const Fd& fd, std::string_view input) {
    while (!input.empty()) {
        const ssize_t written = ::write(fd.get(), input.data(), input.size());
        if (written < 0 && errno != EINTR)
            throw Error(errno, "write", "a child's input");
        if (written > 0)
            input.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// A pipe that holds all of the input: up to 64 KiB always, 1 MiB usually.
Fd input_pipe(std::string_view input) {
    Pipe pipe = make_pipe();
    constexpr std::size_t most = std::numeric_limits<int>::max() / 2;
    if (input.size() > 65536 &&
        ::fcntl(pipe.write.get(), F_SETPIPE_SZ, static_cast<int>(std::min(input.size(), most))) < 0)
        throw Error(errno, "enlarge", "a child's input pipe");
    ::fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK); // an error rather than a wait for a reader who never comes
    write_input(pipe.write, input);
    return std::move(pipe.read);
}

Fd make_input(std::string_view input) {
    Fd file(::memfd_create("cni-config", MFD_CLOEXEC));
    if (!file) // an old kernel, or a seccomp filter that hides the call
        file = Fd(::open("/tmp", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
    if (!file)
        return input_pipe(input);
    file = above_stdio(std::move(file));
    write_input(file, input);
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
        throw Error(errno, "seek", "a child's input");
    return file;
}

/// Everything the child needs; it shares our memory until it executes, so its only way to tell is `err`.
struct Start {
    const char* path;
    char* const* argv;
    char* const* envp;
    int in, out, err_out;
    pid_t parent;
    volatile int err;
};

/// Not instrumented, like run_child(): what is on this stack would be noted in the parent's shadow memory.
[[gnu::no_sanitize_address]] int fail_start(Start& start, int err) {
    start.err = err;
    ::_exit(127);
}

/// Runs on its own stack in shared memory with all signals blocked: system calls only.
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize("address")))
#endif
int run_child(void* argument) {
    Start& start = *static_cast<Start*>(argument);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return fail_start(start, errno);
    if (::getppid() != start.parent)
        return fail_start(start, ESRCH); // died before prctl()

    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    for (int signal = 1; signal < 32; ++signal)
        ::sigaction(signal, &standard, nullptr); // KILL and STOP refuse, rightly
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);

    if (::dup2(start.in, 0) < 0 || ::dup2(start.out, 1) < 0 || ::dup2(start.err_out, 2) < 0)
        return fail_start(start, errno);
    ::execve(start.path, start.argv, start.envp);
    return fail_start(start, errno);
}

class Stack {
  public:
    Stack()
        : base_(::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
        if (base_ == MAP_FAILED)
            throw Error(errno, "mmap", "a child's stack");
    }
    ~Stack() { ::munmap(base_, stack_size); }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;
    [[nodiscard]] void* top() const { return static_cast<char*>(base_) + stack_size; }

  private:
    void* base_;
};

/// The pid of a child that runs `start.path`; 0 when it could not, with the reason in `start.err`.
pid_t spawn(Start& start) {
    const Stack stack;
    sigset_t all, old;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &old); // no handler of ours may run in the child
    start.err = 0;
    const pid_t pid = ::clone(run_child, stack.top(), CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
    const int clone_err = errno;
    ::sigprocmask(SIG_SETMASK, &old, nullptr);

    if (pid < 0)
        start.err = clone_err;
    else if (start.err != 0)
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    return start.err == 0 ? pid : 0;
}

void sleep_for(std::chrono::milliseconds span) {
    const timespec time = {.tv_sec = span.count() / 1000, .tv_nsec = span.count() % 1000 * 1'000'000};
    ::nanosleep(&time, nullptr);
}

/// ETXTBSY means that somebody is just installing the file: about 0.6 s is given for it.
pid_t spawn_patiently(Start& start) {
    constexpr int retries = 5;
    std::chrono::milliseconds pause{20};
    for (int retry = 0;; ++retry, pause *= 2) {
        const pid_t pid = spawn(start);
        if (pid > 0)
            return pid;
        if (start.err != ETXTBSY || retry == retries)
            throw Error(start.err, "fork/exec", start.path);
        sleep_for(pause);
    }
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const std::string& text : texts)
        out.push_back(const_cast<char*>(text.c_str())); // execve(2) changes nothing
    out.push_back(nullptr);
    return out;
}

/// A runtime that ignores SIGCHLD hands that down to us, and there would be nothing to wait for.
void keep_children() {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &action, nullptr);
}

// --- waiting ------------------------------------------------------------------------------------------------------

sigset_t passed_on() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : ending_signals)
        sigaddset(&set, signal);
    return set;
}

/// Readable as long as an ending signal is pending. It is only looked at, never taken: the next poll
/// point is to throw it. May be empty.
Fd watch_signals() {
    const sigset_t set = passed_on();
    return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void pass_on(pid_t pid) {
    sigset_t pending;
    if (::sigpending(&pending) != 0)
        return;
    for (const int signal : ending_signals)
        if (sigismember(&pending, signal) == 1)
            ::kill(pid, signal);
}

/// Waits for the end of a child that has closed its pipes, or been killed. False: not within the deadline.
bool reap(pid_t pid, int& status, const Deadline& deadline) {
    const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    for (;;) {
        const pid_t done = ::waitpid(pid, &status, WNOHANG);
        if (done == pid || (done < 0 && errno != EINTR))
            return true;
        if (deadline.passed())
            return false;
        pollfd end = {.fd = handle.get(), .events = POLLIN, .revents = 0};
        ::poll(&end, 1, handle ? deadline.poll_timeout() : 1); // without pidfd (before Linux 5.3) look every ms
    }
}

/// Reads once. False at end of file.
bool drain(const Fd& fd, std::string& into, std::size_t limit, bool& cut) {
    char buffer[16384];
    const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
    if (size < 0)
        return errno == EINTR || errno == EAGAIN;
    const std::size_t taken = std::min(static_cast<std::size_t>(size), limit - into.size());
    into.append(buffer, taken);
    cut = cut || taken < static_cast<std::size_t>(size);
    return size > 0;
}

} // namespace

Child Child::start(const std::string& path, const std::vector<std::string>& env, std::string_view input) {
    keep_children();
    const Fd in = make_input(input);
    Pipe out = make_pipe(), err = make_pipe();

    const std::vector<std::string> arguments = {path};
    const auto argv = pointers(arguments), envp = pointers(env);
    Start start = {.path = path.c_str(),
                   .argv = argv.data(),
                   .envp = envp.data(),
                   .in = in.get(),
                   .out = out.write.get(),
                   .err_out = err.write.get(),
                   .parent = ::getpid(),
                   .err = 0};
    Child child;
    child.path_ = path;
    child.pid_ = spawn_patiently(start);
    child.out_ = std::move(out.read);
    child.err_ = std::move(err.read);
    return child;
}

Child::Child(Child&& other) noexcept
    : path_(std::move(other.path_)), pid_(std::exchange(other.pid_, -1)), out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Child::~Child() {
    if (pid_ <= 0)
        return;
    int status = 0;
    ::kill(pid_, SIGKILL);
    reap(std::exchange(pid_, -1), status, Deadline::in(reap_limit));
}

Output Child::wait(const Deadline& given) {
    Child ended(std::move(*this)); // kills and reaps when we throw
    Deadline deadline = given;
    const auto give_up = [&] {
        poll_signals(); // a signal that the child does not heed is the reason
        throw Error::plain(ETIMEDOUT, cat("wait for ", ended.path_, ": timed out"));
    };
    Output output;
    bool too_much = false, cut = false;
    const Fd signals = watch_signals();
    std::array<pollfd, 3> watched = {pollfd{.fd = ended.out_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = ended.err_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0}};
    while (watched[0].fd >= 0 || watched[1].fd >= 0) {
        if (::poll(watched.data(), watched.size(), deadline.poll_timeout()) < 0) {
            for (pollfd& one : watched)
                one.revents = 0; // EINTR, or a shortage that may last: the deadline counts all the same
        }
        if (watched[0].revents != 0 && !drain(ended.out_, output.out, most_out, too_much))
            watched[0].fd = -1;
        if (watched[1].revents != 0 && !drain(ended.err_, output.err, most_err, cut))
            watched[1].fd = -1;
        if (watched[2].revents != 0) {
            pass_on(ended.pid_);
            watched[2].fd = -1; // once
            deadline = std::min(deadline, Deadline::in(patience_after_signal));
        }
        if (too_much)
            throw Error(EMSGSIZE, "read the output of", ended.path_);
        if (deadline.passed())
            give_up();
    }
    if (!reap(ended.pid_, output.status, deadline))
        give_up();
    ended.pid_ = -1; // somebody else's from now on
    return output;
}

} // namespace os
