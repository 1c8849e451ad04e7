// SPDX-License-Identifier: Apache-2.0
// Linked into the plugins and the unit tests of a build with sanitizers, and only there. The system tests call them
// with an environment of their own, so the options are in here. Reports go into files: a test that expects a failure
// must not swallow one.
#include <cstdio>
#include <cstring>

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the names that the sanitizers look for
const char* __asan_default_options() {
    return "detect_leaks=1:exitcode=99:log_path=" SANITIZER_REPORTS;
}

const char* __ubsan_default_options() {
    return "halt_on_error=1:print_stacktrace=1:exitcode=99:log_path=" SANITIZER_REPORTS;
}

/// Leaks are found by tracing, and a process has one tracer: strace or failat was here first.
int __lsan_is_turned_off() {
    constexpr const char* key = "TracerPid:\t";
    FILE* status = std::fopen("/proc/self/status", "re");
    char line[256];
    bool traced = false;
    while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr)
        if (std::strncmp(line, key, std::strlen(key)) == 0)
            traced = line[std::strlen(key)] != '0';
    if (status != nullptr)
        std::fclose(status);
    return traced ? 1 : 0;
}
// NOLINTEND(bugprone-reserved-identifier)

} // extern "C"
