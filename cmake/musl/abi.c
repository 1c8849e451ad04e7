// SPDX-License-Identifier: Apache-2.0
// Prints what crosses the border between the netlink libraries and libc; check-abi.sh compares glibc's with musl's.
// Fields of msghdr: glibc has size_t where musl has int and padding after it, so on a 64-bit little-endian machine a
// number below 2^31 reads the same. musl's sendmsg and recvmsg clear the padding for the kernel.
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "msghdr differs on a big-endian machine"
#endif

const unsigned short** __ctype_b_loc(void); // in musl without a header

static unsigned long hash(const unsigned short* table) {
    unsigned long sum = 0;
    for (int i = 0; i < 128; ++i)
        sum = sum * 31 + table[i];
    return sum;
}

static int is_zero(const void* object, size_t size) {
    for (const char* byte = object; size > 0; ++byte, --size)
        if (*byte != 0)
            return 0;
    return 1;
}

#define NUMBER(value) printf("%s %ld\n", #value, (long)(value))
// The libraries have the room that glibc's takes: musl's may be smaller.
#define ROOM(value) printf("at most %s %ld\n", #value, (long)(value))

int main(void) {
    const pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    const pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    NUMBER(is_zero(&mutex, sizeof mutex));
    NUMBER(is_zero(&rwlock, sizeof rwlock));
    NUMBER(hash(*__ctype_b_loc()));
    NUMBER(sizeof(struct msghdr));
    NUMBER(offsetof(struct msghdr, msg_name));
    NUMBER(offsetof(struct msghdr, msg_namelen));
    NUMBER(offsetof(struct msghdr, msg_iov));
    NUMBER(offsetof(struct msghdr, msg_iovlen));
    NUMBER(offsetof(struct msghdr, msg_control));
    NUMBER(offsetof(struct msghdr, msg_controllen));
    NUMBER(offsetof(struct msghdr, msg_flags));
    NUMBER(sizeof(struct cmsghdr));
    NUMBER(offsetof(struct cmsghdr, cmsg_level));
    NUMBER(offsetof(struct cmsghdr, cmsg_type));
    NUMBER(sizeof(struct iovec));
    NUMBER(offsetof(struct iovec, iov_len));
    NUMBER(sizeof(struct pollfd));
    NUMBER(offsetof(struct pollfd, revents));
    ROOM(sizeof(pthread_mutex_t)); // 48 and 40 on arm64
    ROOM(sizeof(pthread_rwlock_t));
    NUMBER(sizeof(time_t));
    NUMBER(sizeof(socklen_t));
    NUMBER(_SC_PAGESIZE);
    NUMBER(_SC_CLK_TCK);
    NUMBER(LC_MESSAGES_MASK);
    NUMBER(POLLIN);
    NUMBER(MSG_PEEK | MSG_TRUNC | MSG_CTRUNC);
    return 0;
}
