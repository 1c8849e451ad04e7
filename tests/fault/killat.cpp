// SPDX-License-Identifier: Apache-2.0
// killat N PROGRAM …: runs a program and kills it (SIGKILL) when it enters its Nth system call, counted over all kinds
// of calls, the first one after execve. Children are not counted and not killed by us. Exit status: the program's, or
// 137 when it was killed.
#include <csignal>
#include <cstdlib>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 3)
        return 2;
    const long target = std::atol(argv[1]);
    const pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0); // the stop after execve
    ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    long calls = 0;
    bool entering = true;
    int signal = 0;
    for (;;) {
        ptrace(PTRACE_SYSCALL, pid, nullptr, static_cast<long>(signal));
        signal = 0;
        waitpid(pid, &status, 0);
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
            continue;
        }
        if (entering && ++calls == target)
            kill(pid, SIGKILL);
        entering = !entering;
    }
}
