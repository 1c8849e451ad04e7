// SPDX-License-Identifier: Apache-2.0
// failat [--child K] N FAULT PROGRAM …: runs a program and makes its Nth system call, counted over all kinds of calls,
// the first one after execve, go wrong once:
//   an errno's name  the call is not made and returns it
//   short            one byte is read or written where more was asked for
//   intr             what the kernel answered to a dump says that it was interrupted (NLM_F_DUMP_INTR)
//   broken           the end of a dump says that it broke off for want of memory
//   TERM             a SIGTERM arrives as the call begins
//   KILL             a SIGKILL instead; a program that enters exit_group has made all its calls, and is let go
//   STOP             the program is stopped for good (SIGSTOP); failat prints its pid, ends, and leaves it so
//   PARENT, ALL      as KILL, but with --child: the program is killed in place of the child, or both are
// failat [--child K] list FILE PROGRAM …: runs it and writes what may go wrong: a line "N call fault" each.
// --child K: the calls of its Kth child are counted and go wrong, the first one after the child's birth.
// --call NAME (after --child): only calls of this name are counted; what else a sanitizer calls makes no difference
// then. --after-result (last of these): only calls after one that wrote to stdout are counted. Exit status: the
// program's, or 128 and the signal that ended it.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <elf.h>
#include <linux/netlink.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

const std::map<std::string, int> errnos = {
    {"EACCES", EACCES}, {"EAGAIN", EAGAIN}, {"EBUSY", EBUSY},     {"EINTR", EINTR},   {"EIO", EIO},
    {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOBUFS", ENOBUFS}, {"ENOLCK", ENOLCK}, {"ENOMEM", ENOMEM},
    {"ENOSPC", ENOSPC}, {"EPERM", EPERM},   {"EROFS", EROFS},
};

struct Call {
    const char* name;
    std::vector<const char*> faults;
};

// What the manual pages say may happen. Closing does not fail in a way that anybody could do something about.
const std::map<unsigned long long, Call> calls = {
    {SYS_openat, {"openat", {"EMFILE", "ENFILE", "ENOSPC", "EROFS", "EACCES", "EIO", "ENOMEM", "EINTR"}}},
    {SYS_openat2, {"openat2", {"EMFILE", "ENOSPC", "EROFS", "EACCES", "EIO", "EAGAIN"}}},
    {SYS_read, {"read", {"EIO", "EINTR", "short"}}},
    {SYS_pread64, {"pread64", {"EIO", "EINTR", "short"}}},
    {SYS_write, {"write", {"ENOSPC", "EIO", "EINTR", "short"}}},
    {SYS_pwrite64, {"pwrite64", {"ENOSPC", "EIO", "EINTR", "short"}}},
    {SYS_sendto, {"sendto", {"ENOBUFS", "ENOMEM", "EINTR", "EPERM"}}},
    {SYS_sendmsg, {"sendmsg", {"ENOBUFS", "ENOMEM", "EINTR", "EPERM"}}},
    {SYS_recvfrom, {"recvfrom", {"ENOBUFS", "ENOMEM", "EINTR", "EAGAIN"}}},
    {SYS_recvmsg, {"recvmsg", {"ENOBUFS", "ENOMEM", "EINTR", "EAGAIN"}}},
    {SYS_socket, {"socket", {"EMFILE", "ENOBUFS", "ENOMEM", "EPERM"}}},
    {SYS_bind, {"bind", {"ENOMEM", "EPERM"}}},
    {SYS_mmap, {"mmap", {"ENOMEM"}}},
    {SYS_brk, {"brk", {"ENOMEM"}}},
    {SYS_clone, {"clone", {"EAGAIN", "ENOMEM"}}},
    {SYS_clone3, {"clone3", {"EAGAIN", "ENOMEM"}}},
    {SYS_execve, {"execve", {"EAGAIN", "ENOMEM", "EACCES", "EIO", "ENFILE"}}},
    {SYS_prctl, {"prctl", {"EPERM"}}},
    {SYS_setns, {"setns", {"EPERM", "ENOMEM"}}},
    {SYS_flock, {"flock", {"EINTR", "ENOLCK"}}},
    {SYS_fcntl, {"fcntl", {"EAGAIN", "EINTR", "ENOLCK"}}},
    {SYS_fsync, {"fsync", {"EIO", "ENOSPC"}}},
    {SYS_fdatasync, {"fdatasync", {"EIO", "ENOSPC"}}},
    {SYS_ftruncate, {"ftruncate", {"ENOSPC", "EIO", "EINTR"}}},
    {SYS_fallocate, {"fallocate", {"ENOSPC", "EIO", "EINTR"}}},
    {SYS_mkdirat, {"mkdirat", {"ENOSPC", "EROFS", "EACCES", "EIO"}}},
    {SYS_unlinkat, {"unlinkat", {"EROFS", "EACCES", "EIO", "EBUSY"}}},
    {SYS_renameat, {"renameat", {"ENOSPC", "EROFS", "EIO", "EBUSY"}}},
    {SYS_renameat2, {"renameat2", {"ENOSPC", "EROFS", "EIO", "EBUSY"}}},
    {SYS_linkat, {"linkat", {"ENOSPC", "EROFS", "EIO"}}},
    {SYS_fstat, {"fstat", {"EIO", "ENOMEM"}}},
    {SYS_newfstatat, {"newfstatat", {"EIO", "ENOMEM", "EACCES"}}},
    {SYS_statfs, {"statfs", {"EIO"}}},
    {SYS_fstatfs, {"fstatfs", {"EIO"}}},
    {SYS_utimensat, {"utimensat", {"EROFS", "EPERM"}}},
    {SYS_getdents64, {"getdents64", {"EIO"}}},
    {SYS_lseek, {"lseek", {"EIO"}}},
    {SYS_memfd_create, {"memfd_create", {"EMFILE", "ENOMEM"}}},
    {SYS_pipe2, {"pipe2", {"EMFILE", "ENFILE"}}},
    {SYS_ppoll, {"ppoll", {"EINTR", "ENOMEM"}}},
    {SYS_wait4, {"wait4", {"EINTR"}}},
    {SYS_waitid, {"waitid", {"EINTR"}}},
    {SYS_signalfd4, {"signalfd4", {"EMFILE", "ENOMEM"}}},
    {SYS_pidfd_open, {"pidfd_open", {"EMFILE", "ENOMEM"}}},
#ifdef SYS_open // and others that newer architectures do without
    {SYS_open, {"open", {"EMFILE", "ENOSPC", "EROFS", "EACCES", "EIO", "ENOMEM", "EINTR"}}},
    {SYS_vfork, {"vfork", {"EAGAIN", "ENOMEM"}}},
    {SYS_dup2, {"dup2", {"EBUSY", "EINTR", "EMFILE"}}},
    {SYS_mkdir, {"mkdir", {"ENOSPC", "EROFS", "EACCES", "EIO"}}},
    {SYS_poll, {"poll", {"EINTR", "ENOMEM"}}},
#endif
};

const std::array<std::string, 8> other_faults = {"short", "intr", "broken", "TERM", "KILL", "STOP", "PARENT", "ALL"};

struct Order {
    int child = 0;    ///< 0: the program itself
    std::string call; ///< empty: any
    bool after_result = false;
    long number = 0;
    std::string fault;
    std::FILE* list = nullptr;
};

// Where a call's number, arguments and result are.
#if defined(__x86_64__)
unsigned long long& first_argument(user_regs_struct& registers) {
    return registers.rdi;
}
unsigned long long& third_argument(user_regs_struct& registers) {
    return registers.rdx;
}
unsigned long long& result(user_regs_struct& registers) {
    return registers.rax;
}
#elif defined(__aarch64__)
unsigned long long& first_argument(user_regs_struct& registers) {
    return registers.regs[0];
}
unsigned long long& third_argument(user_regs_struct& registers) {
    return registers.regs[2];
}
unsigned long long& result(user_regs_struct& registers) {
    return registers.regs[0];
}
#endif

template <typename Edit> void edit_registers(pid_t pid, const Edit& edit) {
    user_regs_struct registers{};
    iovec place{&registers, sizeof registers};
    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &place);
    edit(registers);
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &place);
}

/// At the entry of a call: it becomes one that there is not.
void prevent_call(pid_t pid) {
#if defined(__x86_64__)
    edit_registers(pid, [](user_regs_struct& registers) { registers.orig_rax = ~0ULL; });
#elif defined(__aarch64__)
    int none = -1;
    iovec place{&none, sizeof none};
    ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &place);
#endif
}

struct Asked {
    unsigned long long number = 0, arguments[6] = {};
};

/// What is in a part of a dump that may go wrong.
struct Dump {
    bool any = false, end = false;
};

/// The dump's part that a receive has put into the tracee's buffer, with each message marked as interrupted for the
/// fault "intr", and the end as broken for "broken".
Dump spoil_dump(pid_t pid, const Asked& asked, long long size, const std::string& fault) {
    unsigned long long at = asked.arguments[1];
    if (asked.number == SYS_recvmsg) { // its first buffer
        msghdr header{};
        iovec buffer{};
        iovec here{&header, sizeof header}, there{reinterpret_cast<void*>(at), sizeof header};
        process_vm_readv(pid, &here, 1, &there, 1, 0);
        here = {&buffer, sizeof buffer}, there = {header.msg_iov, sizeof buffer};
        process_vm_readv(pid, &here, 1, &there, 1, 0);
        at = reinterpret_cast<unsigned long long>(buffer.iov_base);
    }
    Dump dump;
    for (long long offset = 0; offset + static_cast<long long>(sizeof(nlmsghdr)) <= size;) {
        nlmsghdr message{};
        iovec here{&message, sizeof message}, there{reinterpret_cast<void*>(at + offset), sizeof message};
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof message || message.nlmsg_len < sizeof message)
            break;
        dump.any = dump.any || (message.nlmsg_flags & NLM_F_MULTI) != 0;
        message.nlmsg_flags |= NLM_F_DUMP_INTR;
        if (dump.any && fault == "intr")
            process_vm_writev(pid, &here, 1, &there, 1, 0);
        if (message.nlmsg_type == NLMSG_DONE) {
            dump.end = true;
            int sent = -ENOMEM;
            here = {&sent, sizeof sent}, there = {reinterpret_cast<void*>(at + offset + NLMSG_HDRLEN), sizeof sent};
            if (fault == "broken")
                process_vm_writev(pid, &here, 1, &there, 1, 0);
        }
        offset += NLMSG_ALIGN(message.nlmsg_len);
    }
    return dump;
}

class Tracer {
  public:
    Tracer(Order order, pid_t program) : order_(std::move(order)), program_(program) {
        if (order_.child == 0)
            target_ = program;
    }

    /// Returns the exit status for failat.
    int run() {
        int status = 0;
        waitpid(program_, &status, 0); // the stop after execve
        ptrace(PTRACE_SETOPTIONS, program_, nullptr,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACECLONE | (order_.fault == "STOP" ? 0 : PTRACE_O_EXITKILL));
        known_[program_] = true;
        ptrace(PTRACE_SYSCALL, program_, nullptr, 0L);
        for (;;) {
            const pid_t pid = waitpid(-1, &status, __WALL);
            if (pid < 0)
                return 125;
            if (WIFEXITED(status) || WIFSIGNALED(status)) {
                if (pid == program_)
                    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                continue;
            }
            if (stopped_) {
                ptrace(PTRACE_DETACH, pid, nullptr, static_cast<long>(SIGSTOP));
                if (pid == target_)
                    return 0;
                continue;
            }
            const long signal = on_stop(pid, status);
            ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
        }
    }

  private:
    /// Returns the signal to hand on.
    long on_stop(pid_t pid, int status) {
        const bool born = !known_[pid];
        known_[pid] = true;
        if (born && ++children_ == order_.child)
            target_ = pid;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            const bool ours = (status >> 16) != 0 || (born && WSTOPSIG(status) == SIGSTOP);
            return ours ? 0 : WSTOPSIG(status);
        }
        if (pid == target_)
            on_call(pid);
        return 0;
    }

    void on_call(pid_t pid) {
        __ptrace_syscall_info info{};
        ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            asked_.number = info.entry.nr;
            std::copy_n(info.entry.args, 6, asked_.arguments);
            counts_ = (order_.call.empty() || name_of(asked_.number) == order_.call) &&
                      (!order_.after_result || has_written_);
            has_written_ = has_written_ || (asked_.number == SYS_write && asked_.arguments[0] == STDOUT_FILENO);
            if (!counts_)
                return;
            ++count_;
            if (order_.list != nullptr)
                list(asked_.number);
            else if (count_ == order_.number)
                go_wrong(pid);
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && counts_) {
            if (order_.list != nullptr && is_receive()) {
                const Dump dump = spoil_dump(pid, asked_, info.exit.rval, {});
                for (const char* fault : {dump.any ? "intr" : nullptr, dump.end ? "broken" : nullptr})
                    if (fault != nullptr)
                        std::fprintf(order_.list, "%ld %s %s\n", count_, name_of(asked_.number).c_str(), fault);
            }
            if (order_.list == nullptr && count_ == order_.number)
                come_back(pid, info.exit.rval);
        }
    }

    static std::string name_of(unsigned long long call) {
        const auto known = calls.find(call);
        return known == calls.end() ? std::to_string(call) : known->second.name;
    }

    void list(unsigned long long call) {
        const auto known = calls.find(call);
        const std::string name = name_of(call);
        if (known != calls.end())
            for (const char* fault : known->second.faults)
                std::fprintf(order_.list, "%ld %s %s\n", count_, name.c_str(), fault);
        std::fprintf(order_.list, "%ld %s TERM\n", count_, name.c_str());
    }

    [[nodiscard]] bool may_be_short() const {
        const auto known = calls.find(asked_.number);
        return known != calls.end() && std::ranges::any_of(known->second.faults, [](const char* fault) {
                   return std::strcmp(fault, "short") == 0;
               });
    }

    [[nodiscard]] bool is_receive() const { return asked_.number == SYS_recvfrom || asked_.number == SYS_recvmsg; }

    /// At the entry of the call.
    void go_wrong(pid_t pid) {
        const std::string& fault = order_.fault;
        if (fault == "TERM") {
            kill(pid, SIGTERM);
        } else if (fault == "STOP") {
            kill(pid, SIGSTOP);
            stopped_ = true;
            std::printf("%d\n", pid);
        } else if (fault == "KILL" && order_.child == 0 && asked_.number == SYS_exit_group) {
            return;
        } else if (fault == "KILL" || fault == "PARENT" || fault == "ALL") {
            kill(fault == "PARENT" ? program_ : pid, SIGKILL);
            if (fault == "ALL")
                kill(program_, SIGKILL);
        } else if (fault == "short") {
            if (!may_be_short()) // the third argument of others is no size: an allocator's mmap came first this time
                return;
            edit_registers(pid, [](user_regs_struct& registers) {
                auto& count = third_argument(registers);
                count = std::min(count, 1ULL);
            });
        } else if (asked_.number == SYS_brk) { // fails by telling where the break still is
            edit_registers(pid, [](user_regs_struct& registers) { first_argument(registers) = 0; });
        } else if (fault != "intr" && fault != "broken") {
            instead_ = -errnos.at(fault);
            prevent_call(pid);
        }
    }

    /// At its exit.
    void come_back(pid_t pid, long long returned) {
        if (is_receive())
            spoil_dump(pid, asked_, returned, order_.fault);
        if (asked_.number == SYS_execve && instead_ == 0)
            return; // another program by now
        edit_registers(pid, [&](user_regs_struct& registers) {
            first_argument(registers) = asked_.arguments[0]; // a program may rely on a call to change no other register
            third_argument(registers) = asked_.arguments[2];
            result(registers) = static_cast<unsigned long long>(instead_ != 0 ? instead_ : returned);
        });
    }

    Order order_;
    pid_t program_, target_ = -1;
    std::map<pid_t, bool> known_;
    int children_ = 0;
    long count_ = 0;
    long long instead_ = 0;
    bool stopped_ = false, counts_ = false, has_written_ = false;
    Asked asked_;
};

bool is_fault(const std::string& name) {
    for (const std::string& other : other_faults)
        if (name == other)
            return true;
    return errnos.contains(name);
}

} // namespace

int main(int argc, char** argv) {
    Order order;
    if (argc > 2 && std::strcmp(argv[1], "--child") == 0) {
        order.child = std::atoi(argv[2]);
        argc -= 2, argv += 2;
    }
    if (argc > 2 && std::strcmp(argv[1], "--call") == 0) {
        order.call = argv[2];
        argc -= 2, argv += 2;
    }
    if (argc > 1 && std::strcmp(argv[1], "--after-result") == 0) {
        order.after_result = true;
        argc -= 1, argv += 1;
    }
    if (argc < 4)
        return 2;
    order.fault = argv[2];
    if (std::strcmp(argv[1], "list") == 0)
        order.list = std::fopen(argv[2], "we");
    else
        order.number = std::atol(argv[1]);
    if (order.list == nullptr && (order.number <= 0 || !is_fault(order.fault)))
        return 2;
    const pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        execv(argv[3], argv + 3);
        _exit(127);
    }
    const int status = Tracer(order, pid).run();
    if (order.list != nullptr)
        std::fclose(order.list);
    return status;
}
