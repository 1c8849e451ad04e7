// SPDX-License-Identifier: Apache-2.0
// Linked into static executables as an object, so that these come before libc's and libstdc++'s own.
//
// libnl mentions libc's name resolver in helpers that we never call (addresses are parsed in pkg/inet); linked
// statically it brings NSS, DNS and their configuration: 168 KB and a linker warning. Here every lookup fails.
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

// Not <netdb.h>: glibc declares these noexcept, musl does not.
extern "C" {

struct addrinfo;
struct sockaddr;
struct protoent;
constexpr int no_such_name = -2; // EAI_NONAME

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo** result) {
    *result = nullptr;
    return no_such_name;
}

void freeaddrinfo(addrinfo*) {}

const char* gai_strerror(int) {
    return "this program resolves no names";
}

int getnameinfo(const sockaddr*, unsigned, char*, unsigned, char*, unsigned, int) {
    return no_such_name;
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

#ifndef __GLIBC__
// What FORTIFY made of printf in the netlink libraries, which Debian compiles for glibc (cmake/musl/check-abi.sh).
int __fprintf_chk(FILE* file, int, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vfprintf(file, format, arguments);
    va_end(arguments);
    return length;
}

int __vfprintf_chk(FILE* file, int, const char* format, va_list arguments) {
    return std::vfprintf(file, format, arguments);
}

int __snprintf_chk(char* to, std::size_t size, int, std::size_t room, const char* format, ...) {
    if (room < size)
        std::abort();
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length;
}

int __vasprintf_chk(char** to, int, const char* format, va_list arguments) {
    return vasprintf(to, format, arguments);
}
#endif
// NOLINTEND(bugprone-reserved-identifier)

} // extern "C"

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
