// SPDX-License-Identifier: Apache-2.0
#include "os/sysctl.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/error.h"
#include "os/fd.h"
#include "os/text.h"

namespace os {
namespace {

constexpr const char* root_path = "/proc/sys/net";
constexpr std::size_t longest_value = 4096;

/// Keys contain interface names, which come from outside.
void check_key(const std::string& key) {
    for (const std::string_view part : split(key, '/'))
        if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos)
            throw Error(EINVAL, "sysctl", quote(key));
}

int open_beneath(int dir, const char* path, int flags) {
    open_how how = {};
    how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return static_cast<int>(fd);
    // An old kernel, or a seccomp filter that hides the call: the key has been checked and the kernel makes no
    // symbolic links below /proc/sys.
    return openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW);
}

/// Empty when the key does not exist.
Fd open_key(const std::string& key, int flags) {
    check_key(key);
    const Fd root(::open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    Fd fd(root ? open_beneath(root.get(), key.c_str(), flags) : -1);
    if (!fd && errno != ENOENT && errno != ENOTDIR)
        throw Error(errno, "open", net_sysctl_path(key));
    return fd;
}

std::string read_value(const Fd& fd, const std::string& key) {
    char value[longest_value];
    ssize_t size = 0;
    do {
        size = ::read(fd.get(), value, sizeof value);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        throw Error(errno, "read", net_sysctl_path(key));
    return std::string(trim({value, static_cast<std::size_t>(size)}));
}

} // namespace

std::string net_sysctl_path(const std::string& key) {
    return cat(root_path, "/", key);
}

void write_net_sysctl(const std::string& key, std::string_view value) {
    const Fd fd = open_key(key, O_WRONLY);
    if (!fd)
        throw Error(errno, "open", net_sysctl_path(key)); // ENOENT, or ENOTDIR
    // A value counts as a whole: the rest of one that was cut short would be no continuation but ignored.
    ssize_t size = 0;
    int cut = 0;
    do {
        size = ::pwrite(fd.get(), value.data(), value.size(), 0);
    } while (size < 0 ? errno == EINTR : static_cast<std::size_t>(size) < value.size() && ++cut == 1);
    if (size < 0)
        throw Error(errno, "write", net_sysctl_path(key));
}

bool net_sysctl_exists(const std::string& key) {
    return static_cast<bool>(open_key(key, O_PATH));
}

std::optional<std::string> read_net_sysctl(const std::string& key) {
    const Fd fd = open_key(key, O_RDONLY);
    if (!fd)
        return std::nullopt;
    return read_value(fd, key);
}

bool set_net_sysctl(const std::string& key, std::string_view value) {
    if (read_net_sysctl(key) == value)
        return false;
    write_net_sysctl(key, value);
    return true;
}

bool try_net_sysctl(const std::string& key, std::string_view value) noexcept {
    try {
        write_net_sysctl(key, value);
        return true;
    } catch (...) {
        return false; // best effort is what the caller asked for
    }
}

} // namespace os
