// SPDX-License-Identifier: Apache-2.0
#include "os/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/error.h"
#include "os/text.h"

namespace os {
namespace {

constexpr int directory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

struct CloseDir {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

[[noreturn]] void fail(std::string_view operation, const Fd& dir, const std::string& name, int err = errno) {
    throw Error(err, operation, path_at(dir, name));
}

void check_component(const Fd& dir, const std::string& name) {
    if (!is_component(name))
        fail("open", dir, quote(name), EINVAL);
}

void check_path(const std::string& path) {
    if (path.find('\0') != path.npos)
        throw Error(EINVAL, "open", quote(path));
}

bool is_dir(const std::string& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// Follows no link. Not open when that fails, and errno says why.
Fd try_open_dir_at(const Fd& dir, const std::string& name) {
    check_component(dir, name);
    return Fd(::openat(dir.get(), name.c_str(), directory | O_NOFOLLOW));
}

void make_missing(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0)
        return;
    const int err = errno;
    if (!is_dir(path))
        throw Error(err == EEXIST ? ENOTDIR : err, "mkdir", path);
}

/// False at an error; errno says which.
bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            content.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

int check_regular(const Fd& fd, struct stat& status) {
    if (::fstat(fd.get(), &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    return S_ISREG(status.st_mode) ? 0 : EINVAL;
}

/// A name to be told only when something fails.
struct Place {
    const Fd* dir;
    const std::string& name;
    [[nodiscard]] std::string path() const { return dir == nullptr ? name : path_at(*dir, name); }
};

/// What administrators name where no file is wanted.
bool is_null_device(const Fd& fd) {
    struct stat status;
    return ::fstat(fd.get(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

std::string read_all(const Fd& fd, std::size_t limit, const Place& place) {
    struct stat status;
    if (const int err = check_regular(fd, status); err != 0)
        throw Error(err, "read", place.path());

    // One byte more than there should be shows the end of file, or that the limit is passed. Files of /proc say 0.
    std::string content;
    const std::size_t told = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
    std::size_t room = std::min(limit, std::max<std::size_t>(told, 1023)) + 1;
    std::size_t filled = 0;
    for (;;) {
        content.resize(room);
        const ssize_t size = ::read(fd.get(), content.data() + filled, room - filled);
        if (size < 0 && errno != EINTR)
            throw Error(errno, "read", place.path());
        if (size == 0)
            break;
        filled += size > 0 ? static_cast<std::size_t>(size) : 0;
        if (filled > limit)
            throw Error(EFBIG, "read", place.path());
        if (filled == room)
            room = std::min(limit, room * 2) + 1;
    }
    content.resize(filled);
    return content;
}

// A name that is too long for a file is no file's.
bool is_absence(int err) {
    return err == ENOENT || err == ENAMETOOLONG;
}

enum class Made { created, taken, impossible };

/// The good way: a file without a name, named when it is complete.
Made create_unnamed(const Fd& dir, const std::string& name, std::string_view content, mode_t mode) {
    const Fd file(::openat(dir.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (!file) {
        if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT)
            return Made::impossible; // this file system, or this kernel
        fail("create", dir, name);
    }
    if (!write_all(file.get(), content))
        fail("write", dir, name);

    const std::string link = cat("/proc/self/fd/", file.get());
    if (::linkat(AT_FDCWD, link.c_str(), dir.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0)
        return Made::created;
    if (errno == EEXIST)
        return Made::taken;
    if (errno == ENOENT)
        return Made::impossible; // no /proc
    fail("create", dir, name);
}

/// A file under another name, in the parent so that nobody who scans `dir` sees it, linked when complete.
Made create_linked(const Fd& dir, const std::string& name, std::string_view content, mode_t mode) {
    std::uint8_t random[8];
    if (::getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
        return Made::impossible;
    const std::string temporary = cat("../.cnative-", hex(random));
    const Fd file(::openat(dir.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file)
        return Made::impossible;

    Made made = Made::impossible;
    if (write_all(file.get(), content)) {
        if (::linkat(dir.get(), temporary.c_str(), dir.get(), name.c_str(), 0) == 0)
            made = Made::created;
        else if (errno == EEXIST)
            made = Made::taken;
    }
    ::unlinkat(dir.get(), temporary.c_str(), 0);
    return made;
}

/// Where neither works (no hard links, parent on another file system): only a kill can leave it half-written.
Made create_exclusive(const Fd& dir, const std::string& name, std::string_view content, mode_t mode) {
    const Fd file(::openat(dir.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file && errno == EEXIST)
        return Made::taken;
    if (!file)
        fail("create", dir, name);
    if (write_all(file.get(), content))
        return Made::created;
    const int err = errno;
    ::unlinkat(dir.get(), name.c_str(), 0);
    fail("write", dir, name, err);
}

} // namespace

bool is_component(std::string_view name) noexcept {
    return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\0", 2)) == name.npos;
}

std::string path_at(const Fd& dir, const std::string& name) {
    const int saved = errno; // called between a failed call and the look at its errno
    char path[1024];
    const ssize_t size = ::readlink(cat("/proc/self/fd/", dir.get()).c_str(), path, sizeof path);
    errno = saved;
    if (size <= 0 || path[0] != '/')
        return name;
    return cat(std::string_view(path, static_cast<std::size_t>(size)), "/", name);
}

Fd open_dir(const std::string& path) {
    check_path(path);
    Fd dir(::open(path.c_str(), directory));
    if (!dir)
        throw Error(errno, "open", path);
    return dir;
}

Fd make_dirs(const std::string& path, mode_t mode) {
    check_path(path);
    if (Fd dir(::open(path.c_str(), directory)); dir)
        return dir;
    if (errno != ENOENT && errno != ENOTDIR)
        throw Error(errno, "open", path);

    for (std::size_t end = path.find('/', 1); end != path.npos; end = path.find('/', end + 1))
        make_missing(path.substr(0, end), mode);
    make_missing(path, mode);
    return open_dir(path);
}

std::string other_writers(const Fd& dir) {
    struct stat status {};
    if (::fstat(dir.get(), &status) != 0)
        fail("stat", dir, ".");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        return cat("belongs to user ", status.st_uid);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return cat("may be written by others than user ", status.st_uid);
    return {};
}

std::optional<Fd> open_dir_at(const Fd& dir, const std::string& name) {
    if (Fd sub = try_open_dir_at(dir, name); sub)
        return sub;
    if (is_absence(errno))
        return std::nullopt;
    fail("open", dir, name);
}

Fd make_dir_at(const Fd& dir, const std::string& name, mode_t mode) {
    if (Fd sub = try_open_dir_at(dir, name); sub)
        return sub;
    if (errno == ENOTDIR)
        fail("mkdir", dir, name);
    if (::mkdirat(dir.get(), name.c_str(), mode) != 0 && errno != EEXIST)
        fail("mkdir", dir, name);
    auto sub = open_dir_at(dir, name);
    if (!sub)
        fail("open", dir, name, ENOENT);
    return std::move(*sub);
}

std::optional<std::string> read_file_at(const Fd& dir, const std::string& name, std::size_t limit) {
    check_component(dir, name);
    const Fd file(::openat(dir.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (file)
        return read_all(file, limit, {&dir, name});
    if (is_absence(errno))
        return std::nullopt;
    fail("open", dir, name);
}

std::optional<std::string> read_file(const std::string& path, std::size_t limit) {
    check_path(path);
    const Fd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (file && is_null_device(file))
        return std::string();
    if (file)
        return read_all(file, limit, {nullptr, path});
    if (errno == ENOENT)
        return std::nullopt;
    throw Error(errno, "open", path);
}

bool create_file_at(const Fd& dir, const std::string& name, std::string_view content, mode_t mode) {
    check_component(dir, name);
    Made made = create_unnamed(dir, name, content, mode);
    if (made == Made::impossible)
        made = create_linked(dir, name, content, mode);
    if (made == Made::impossible)
        made = create_exclusive(dir, name, content, mode);
    return made == Made::created;
}

void rewrite_file_at(const Fd& dir, const std::string& name, std::string_view content, mode_t mode) {
    check_component(dir, name);
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const Fd file(::openat(dir.get(), name.c_str(), flags, mode));
    if (!file)
        fail("open", dir, name);
    struct stat status;
    if (const int err = check_regular(file, status); err != 0)
        fail("open", dir, name, err);
    // Not O_TRUNC: only now it is known to be a file.
    if (::ftruncate(file.get(), 0) != 0 || !write_all(file.get(), content))
        fail("write", dir, name);
}

std::string replacement_name(const std::string& name) {
    return cat(".", name, ".new");
}

void replace_file_at(const Fd& dir, const std::string& name, std::string_view content, mode_t mode) {
    check_component(dir, name);
    const std::string temporary = replacement_name(name);
    rewrite_file_at(dir, temporary, content, mode);
    if (::renameat(dir.get(), temporary.c_str(), dir.get(), name.c_str()) == 0)
        return;
    const int err = errno;
    ::unlinkat(dir.get(), temporary.c_str(), 0);
    fail("rename", dir, name, err);
}

bool unlink_at(const Fd& dir, const std::string& name) {
    check_component(dir, name);
    if (::unlinkat(dir.get(), name.c_str(), 0) == 0)
        return true;
    const int err = errno;
    struct stat status; // a read-only file system refuses before it looks
    if (is_absence(err) ||
        (err == EROFS && ::fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 && is_absence(errno)))
        return false;
    fail("unlink", dir, name, err);
}

std::vector<std::string> list_dir(const Fd& dir) {
    // A descriptor of its own: the position of `dir` stays where it is.
    Fd copy(::openat(dir.get(), ".", directory));
    const std::unique_ptr<DIR, CloseDir> stream(copy ? ::fdopendir(copy.get()) : nullptr);
    if (!stream)
        fail("open", dir, ".");
    (void)copy.release(); // closedir() closes it

    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr)
            break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            names.emplace_back(name);
    }
    if (errno != 0)
        fail("read", dir, ".");
    return names;
}

} // namespace os
