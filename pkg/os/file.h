// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "os/fd.h"

// Files by directory descriptor. A name given to an *_at function is one path component ("/", "." and ".."
// are refused with EINVAL); symbolic links are not followed. Failures are os::Error unless said otherwise.
namespace os {

/// Whether an *_at function takes it.
[[nodiscard]] bool is_component(std::string_view name) noexcept;
/// For messages: the name with the directory's path in front, as far as /proc tells it.
[[nodiscard]] std::string path_at(const Fd& dir, const std::string& name);

/// Opens a directory; `path` may be relative to the working directory.
[[nodiscard]] Fd open_dir(const std::string& path);
/// Creates `path` and its parents (mode & ~umask) as far as they are missing, and opens it.
[[nodiscard]] Fd make_dirs(const std::string& path, mode_t mode);
/// Who but root and the caller may change what is in a directory, as the end of a sentence about it; empty: nobody.
[[nodiscard]] std::string other_writers(const Fd& dir);
/// One sub-directory; nothing when it does not exist.
[[nodiscard]] std::optional<Fd> open_dir_at(const Fd& dir, const std::string& name);
/// One sub-directory, created when missing.
[[nodiscard]] Fd make_dir_at(const Fd& dir, const std::string& name, mode_t mode);

/// Whole content of a regular file of at most `limit` bytes (EFBIG beyond; directories are EISDIR, FIFOs and devices
/// EINVAL, opened without blocking); nothing when it does not exist.
[[nodiscard]] std::optional<std::string> read_file_at(const Fd& dir, const std::string& name, std::size_t limit);
/// The same for a path, following links: for files the administrator names (resolv.conf, /proc). /dev/null is empty.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path, std::size_t limit);

/// Makes a file appear at once with its whole content: it never exists half-written, whenever we are killed.
/// false: the name is taken (nothing changed).
[[nodiscard]] bool create_file_at(const Fd& dir, const std::string& name, std::string_view content, mode_t mode);
/// Rewrites in place, creating when missing: the layout of files shared with the Go suite. Killed in between it leaves
/// the file empty or cut short.
void rewrite_file_at(const Fd& dir, const std::string& name, std::string_view content, mode_t mode);
/// Puts a whole new content in the place of a file, or makes it: a reader finds the old one or the new one. Killed in
/// between it leaves `.<name>.new`, which the next call for the same name takes over. No two processes at once.
void replace_file_at(const Fd& dir, const std::string& name, std::string_view content, mode_t mode);
/// What replace_file_at() may leave when it is killed.
[[nodiscard]] std::string replacement_name(const std::string& name);
/// false: was not there.
bool unlink_at(const Fd& dir, const std::string& name);
/// Names in a directory without "." and "..", unsorted.
[[nodiscard]] std::vector<std::string> list_dir(const Fd& dir);

} // namespace os
