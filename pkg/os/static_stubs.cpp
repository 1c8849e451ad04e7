// SPDX-License-Identifier: Apache-2.0
// Linked into static executables as an object, so that these come before libc's and libstdc++'s own.
//
// libnl mentions libc's name resolver in helpers that we never call (addresses are parsed in pkg/inet); linked
// statically it brings NSS, DNS and their configuration: 168 KB and a linker warning. Here every lookup fails.
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <netdb.h>
#include <sys/socket.h>

#ifdef __GLIBC__
extern "C" {

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo** result) {
    *result = nullptr;
    return EAI_NONAME;
}

void freeaddrinfo(addrinfo*) noexcept {}

const char* gai_strerror(int) noexcept {
    return "this program resolves no names";
}

int getnameinfo(const sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int) {
    return EAI_NONAME;
}

protoent* getprotobyname(const char*) {
    return nullptr;
}

protoent* getprotobynumber(int) {
    return nullptr;
}

// libnl reads /proc/net/psched when it is loaded, for traffic control that asks for it, and scans numbers in helpers
// that we never call. Without them no start-up cost, and libc's scanf with its floating point stays out (82 KB).
FILE* fopen(const char*, const char*) {
    errno = ENOENT;
    return nullptr;
}

// NOLINTBEGIN(bugprone-reserved-identifier): what <cstdio> makes of fscanf and sscanf
int __isoc99_fscanf(FILE*, const char*, ...) {
    return EOF;
}

int __isoc99_sscanf(const char*, const char*, ...) {
    return EOF;
}
// NOLINTEND(bugprone-reserved-identifier)

} // extern "C"
#endif

#ifdef __GLIBCXX__
namespace __gnu_cxx {

// libstdc++'s own prints the exception's name and brings the demangler for it (45 KB). What happens to a plugin
// is told by the crash handler.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the library's name for it
void __verbose_terminate_handler();
// NOLINTNEXTLINE(bugprone-reserved-identifier)
void __verbose_terminate_handler() {
    std::abort();
}

} // namespace __gnu_cxx
#endif
