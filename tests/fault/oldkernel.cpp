// SPDX-License-Identifier: Apache-2.0
// oldkernel PROGRAM …: runs a program, and whatever it starts, on what looks like Linux 3.16 to it: system calls that
// came later fail with ENOSYS. Real kernels and container runtimes with a seccomp filter do the same.
#include <cerrno>
#include <cstddef>
#include <cstdio>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// memfd_create 3.17, pidfd_open 5.3, clone3 5.3, openat2 5.6, faccessat2 5.8, close_range 5.9. Plain numbers are the
// same on every architecture from 424 on.
constexpr unsigned hidden[] = {SYS_memfd_create, 434, 435, 437, 439, 436};
constexpr unsigned char count = sizeof hidden / sizeof hidden[0];

bool hide() {
    sock_filter program[count + 3] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (unsigned char i = 0; i < count; ++i) {
        const auto to_refusal = static_cast<unsigned char>(count - i);
        program[1 + i] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, hidden[i], to_refusal, 0);
    }
    program[count + 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[count + 2] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    const sock_fprog filter = {.len = count + 3, .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2)
        return 2;
    if (!hide()) {
        std::perror("oldkernel: seccomp");
        return 125;
    }
    execvp(argv[1], argv + 1);
    std::perror(argv[1]);
    return 127;
}
