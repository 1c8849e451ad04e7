// SPDX-License-Identifier: Apache-2.0
// failat N FAULT PROGRAM …: runs a program in which the Nth system call after execve goes wrong. FAULT is an errno by
// name (the call is not made, and returns it), `short` (one byte is read or written where more was asked for) or
// `TERM` (the signal arrives as the call is made). Exit status: the program's, 128 + signal when one ended it.
// failat list FILE PROGRAM …: writes what can go wrong to FILE, a line each: N, the call, FAULT.
// Children are neither counted nor touched. x86-64 only.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <sys/ptrace.h>
#include <sys/syscall.h>
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
    {SYS_open, {"open", {"EMFILE", "ENOSPC", "EROFS", "EACCES", "EIO", "ENOMEM", "EINTR"}}},
    {SYS_openat, {"openat", {"EMFILE", "ENFILE", "ENOSPC", "EROFS", "EACCES", "EIO", "ENOMEM", "EINTR"}}},
    {SYS_openat2, {"openat2", {"EMFILE", "ENOSPC", "EROFS", "EACCES", "EIO", "EAGAIN"}}},
    {SYS_read, {"read", {"EIO", "EINTR", "short"}}},
    {SYS_pread64, {"pread64", {"EIO", "EINTR", "short"}}},
    {SYS_write, {"write", {"ENOSPC", "EIO", "EINTR", "short"}}},
    {SYS_pwrite64, {"pwrite64", {"ENOSPC", "EIO", "EINTR", "short"}}},
    {SYS_sendto, {"sendto", {"ENOBUFS", "ENOMEM", "EINTR", "EPERM"}}},
    {SYS_sendmsg, {"sendmsg", {"ENOBUFS", "ENOMEM", "EINTR", "EPERM"}}},
    {SYS_recvfrom, {"recvfrom", {"ENOBUFS", "ENOMEM", "EINTR"}}},
    {SYS_recvmsg, {"recvmsg", {"ENOBUFS", "ENOMEM", "EINTR"}}},
    {SYS_socket, {"socket", {"EMFILE", "ENOBUFS", "ENOMEM", "EPERM"}}},
    {SYS_bind, {"bind", {"ENOMEM", "EPERM"}}},
    {SYS_mmap, {"mmap", {"ENOMEM"}}},
    {SYS_brk, {"brk", {"ENOMEM"}}},
    {SYS_clone, {"clone", {"EAGAIN", "ENOMEM"}}},
    {SYS_clone3, {"clone3", {"EAGAIN", "ENOMEM"}}},
    {SYS_vfork, {"vfork", {"EAGAIN", "ENOMEM"}}},
    {SYS_setns, {"setns", {"EPERM", "ENOMEM"}}},
    {SYS_flock, {"flock", {"EINTR", "ENOLCK"}}},
    {SYS_fcntl, {"fcntl", {"EAGAIN", "EINTR", "ENOLCK"}}},
    {SYS_fsync, {"fsync", {"EIO", "ENOSPC"}}},
    {SYS_fdatasync, {"fdatasync", {"EIO", "ENOSPC"}}},
    {SYS_ftruncate, {"ftruncate", {"ENOSPC", "EIO", "EINTR"}}},
    {SYS_fallocate, {"fallocate", {"ENOSPC", "EIO", "EINTR"}}},
    {SYS_mkdirat, {"mkdirat", {"ENOSPC", "EROFS", "EACCES", "EIO"}}},
    {SYS_mkdir, {"mkdir", {"ENOSPC", "EROFS", "EACCES", "EIO"}}},
    {SYS_unlinkat, {"unlinkat", {"EROFS", "EACCES", "EIO", "EBUSY"}}},
    {SYS_renameat, {"renameat", {"ENOSPC", "EROFS", "EIO", "EBUSY"}}},
    {SYS_renameat2, {"renameat2", {"ENOSPC", "EROFS", "EIO", "EBUSY"}}},
    {SYS_linkat, {"linkat", {"ENOSPC", "EROFS", "EIO"}}},
    {SYS_fstat, {"fstat", {"EIO", "ENOMEM"}}},
    {SYS_newfstatat, {"newfstatat", {"EIO", "ENOMEM", "EACCES"}}},
    {SYS_statfs, {"statfs", {"EIO"}}},
    {SYS_fstatfs, {"fstatfs", {"EIO"}}},
    {SYS_getdents64, {"getdents64", {"EIO"}}},
    {SYS_lseek, {"lseek", {"EIO"}}},
    {SYS_memfd_create, {"memfd_create", {"EMFILE", "ENOMEM"}}},
    {SYS_pipe2, {"pipe2", {"EMFILE", "ENFILE"}}},
    {SYS_poll, {"poll", {"EINTR", "ENOMEM"}}},
    {SYS_ppoll, {"ppoll", {"EINTR", "ENOMEM"}}},
    {SYS_wait4, {"wait4", {"EINTR"}}},
    {SYS_waitid, {"waitid", {"EINTR"}}},
    {SYS_signalfd4, {"signalfd4", {"EMFILE", "ENOMEM"}}},
    {SYS_pidfd_open, {"pidfd_open", {"EMFILE", "ENOMEM"}}},
};

void list_faults(std::FILE* out, long number, unsigned long long call) {
    const auto known = calls.find(call);
    if (known == calls.end())
        return;
    for (const char* fault : known->second.faults)
        std::fprintf(out, "%ld %s %s\n", number, known->second.name, fault);
    std::fprintf(out, "%ld %s TERM\n", number, known->second.name);
}

/// At the entry of the call; returns what it shall return instead, 0 when it is made.
long long go_wrong(pid_t pid, user_regs_struct& registers, const std::string& fault) {
    if (fault == "TERM") {
        kill(pid, SIGTERM);
        return 0;
    }
    if (fault == "short") {
        registers.rdx = registers.rdx > 1 ? 1 : registers.rdx; // the third argument is the count
        ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
        return 0;
    }
    if (registers.orig_rax == SYS_brk) { // fails by telling where the break still is
        registers.rdi = 0;
        ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
        return 0;
    }
    registers.orig_rax = ~0ULL; // no such call
    ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
    return -errnos.at(fault);
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4)
        return 2;
    const std::string number = argv[1], fault = argv[2];
    std::FILE* list = number == "list" ? std::fopen(argv[2], "we") : nullptr;
    if (list == nullptr && fault != "TERM" && fault != "short" && !errnos.contains(fault))
        return 2;
    const long target = std::atol(argv[1]);
    const pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        execv(argv[3], argv + 3);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0); // the stop after execve
    ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    long count = 0;
    long long instead = 0;
    user_regs_struct asked{};
    bool entering = true;
    int signal = 0;
    for (;;) {
        ptrace(PTRACE_SYSCALL, pid, nullptr, static_cast<long>(signal));
        signal = 0;
        waitpid(pid, &status, 0);
        if (WIFEXITED(status)) {
            if (list != nullptr)
                std::fclose(list);
            return WEXITSTATUS(status);
        }
        if (WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
            continue;
        }
        user_regs_struct registers{};
        ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
        if (entering) {
            ++count;
            if (list != nullptr)
                list_faults(list, count, registers.orig_rax);
            else if (count == target) {
                asked = registers;
                instead = go_wrong(pid, registers, fault);
            }
        } else if (count == target && list == nullptr) {
            if (instead != 0)
                registers.rax = static_cast<unsigned long long>(instead);
            registers.rdi = asked.rdi; // a program may rely on a call to change no other register
            registers.rdx = asked.rdx;
            ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
        }
        entering = !entering;
    }
}
