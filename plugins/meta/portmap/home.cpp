// SPDX-License-Identifier: Apache-2.0
#include "home.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>

#include <dirent.h>
#include <sys/stat.h>

#include "os/text.h"

namespace portmap {

namespace {

constexpr std::size_t longest = 120; // with an owner of 128 bytes still a comment

/// "4:4026531840"; nothing when there is none, or it cannot be looked at.
std::optional<std::string> identity(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        return std::nullopt;
    return os::cat(status.st_dev, ":", status.st_ino);
}

/// The process's own view: where its paths begin.
std::optional<std::string> viewpoint() {
    const auto mounts = identity("/proc/self/ns/mnt"), root = identity("/");
    return mounts && root ? std::optional(os::cat(*mounts, " ", *root)) : std::nullopt;
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Paths that mean the same to every process, not those by way of the caller's own files; and that a comment can hold.
bool is_anybodys(std::string_view path) {
    const auto is_plain = [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; };
    if (!path.starts_with('/') || path.starts_with("/dev/") || !std::ranges::all_of(path, is_plain))
        return false;
    if (!path.starts_with("/proc/"))
        return true;
    const auto parts = os::split(path, '/');
    return parts.size() == 5 && is_number(parts[2]) && parts[3] == "ns";
}

bool anybody_lives_in(std::string_view netns) {
    const std::unique_ptr<DIR, decltype([](DIR* folder) { closedir(folder); })> processes(opendir("/proc"));
    if (!processes)
        return true;
    while (const dirent* entry = readdir(processes.get())) {
        if (is_number(entry->d_name) && identity(os::cat("/proc/", entry->d_name, "/ns/net")) == netns)
            return true;
    }
    return false;
}

/// A veth goes with its peer, and that with its namespace. Indices are not given twice, unlike numbers of namespaces.
bool is_cut_off(std::string_view host_end) {
    int index = 0;
    const char* const end = host_end.data() + host_end.size();
    const auto read = std::from_chars(host_end.data(), end, index);
    if (read.ec != std::errc() || read.ptr != end || index <= 0)
        return false;
    netlink::Rtnl host;
    const auto link = host.find_link(netlink::Index{index});
    return !link || link->peer_dying;
}

} // namespace

std::string home_at(const std::string& netns_path, std::optional<netlink::Index> host_end) {
    const auto netns = identity(netns_path), here = viewpoint();
    if (!netns || !here || !is_anybodys(netns_path))
        return {};
    std::string home = os::cat(*netns, " ", *here, " ", netns_path);
    if (home.size() > longest)
        return {};
    const std::string with_link = host_end ? os::cat(home, " ", static_cast<int>(*host_end)) : home;
    return with_link.size() > longest ? home : with_link;
}

bool is_deserted(std::string_view home, const std::string& newcomer) {
    const auto parts = os::split(home, ' ');
    if (parts.size() != 4 && parts.size() != 5)
        return false;
    const bool same_view = viewpoint() == os::cat(parts[1], " ", parts[2]);
    const std::string netns(parts[0]), path(parts[3]);
    struct stat status {};
    const bool nowhere = stat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
    const auto now = identity(path);
    if (parts.size() == 5)
        return is_cut_off(parts[4]) && (!same_view || now != netns || identity(newcomer) == netns);
    return same_view && (nowhere || (now && *now != netns)) && !anybody_lives_in(netns);
}

} // namespace portmap
