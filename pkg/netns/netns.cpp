// SPDX-License-Identifier: Apache-2.0
#include "netns/netns.h"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "os/error.h"
#include "os/text.h"

namespace netns {
namespace {

constexpr unsigned long nsfs_magic = 0x6e736673;
constexpr unsigned long proc_magic = 0x9fa0; // where namespaces were before Linux 3.19

std::string hexadecimal(unsigned long value) {
    char digits[2 * sizeof value];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr);
}

/// Before opening: a FIFO or a device somebody put there is not to be touched. Texts are the Go suite's.
void check_file_system(const std::string& path) {
    if (path.find('\0') != path.npos)
        throw os::Error(EINVAL, "failed to Statfs", os::quote(path));
    struct statfs status;
    while (::statfs(path.c_str(), &status) != 0)
        if (errno != EINTR)
            throw os::Error(errno, "failed to Statfs", os::quote(path));

    const auto magic = static_cast<unsigned long>(status.f_type);
    if (magic != nsfs_magic && magic != proc_magic)
        throw os::Error::plain(EINVAL, os::cat("unknown FS magic on ", os::quote(path), ": ", hexadecimal(magic)));
}

/// What DEL meets when the namespace is gone: no such path, or the plain file a namespace was mounted on.
bool means_gone(int err) {
    for (const int gone : {ENOENT, ENOTDIR, ESRCH, EINVAL, ELOOP, ENAMETOOLONG})
        if (err == gone)
            return true;
    return false;
}

} // namespace

Netns Netns::open(const std::string& path) {
    check_file_system(path);
    os::Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd)
        throw os::Error(errno, "open", path);
    // Other kinds of namespaces and any file of /proc have passed until here.
    if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
        throw os::Error::plain(EINVAL, os::cat(os::quote(path), " is not a network namespace"));
    return Netns(std::move(fd));
}

std::optional<Netns> Netns::find(const std::string& path) {
    if (path.empty())
        return std::nullopt;
    try {
        return open(path);
    } catch (const os::Error& failure) {
        if (means_gone(failure.err()))
            return std::nullopt;
        throw;
    }
}

Netns Netns::current() {
    constexpr const char* path = "/proc/thread-self/ns/net";
    os::Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
    if (!fd)
        throw os::Error(errno, "open", path);
    return Netns(std::move(fd));
}

bool Netns::same(const Netns& other) const {
    struct stat ours, theirs;
    if (::fstat(fd_.get(), &ours) != 0 || ::fstat(other.fd_.get(), &theirs) != 0)
        throw os::Error(errno, "stat", "a network namespace");
    return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

Entered::Entered(const Netns& netns) {
    os::Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!home)
        throw os::Error(errno, "open", "/proc/thread-self/ns/net");
    if (::setns(netns.fd(), CLONE_NEWNET) != 0)
        throw os::Error(errno, "enter", "a network namespace");
    home_ = std::move(home);
}

// Whatever comes after would be done to the wrong host, so there is no going on without.
Entered::~Entered() {
    constexpr int most_tries = 3; // it may want for memory for a moment
    for (int tries = 1; ::setns(home_.get(), CLONE_NEWNET) != 0; ++tries) {
        if (tries == most_tries)
            std::abort();
    }
}

} // namespace netns
