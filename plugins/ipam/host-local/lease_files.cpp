// SPDX-License-Identifier: Apache-2.0
#include "lease_files.h"

#include <algorithm>
#include <cerrno>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>

#include "os/error.h"
#include "os/file.h"
#include "os/hash.h"
#include "os/log.h"
#include "os/text.h"
#include "region.h"

namespace host_local {
namespace {

/// An environment variable, which the container ID comes from, is at most 128 KiB long.
constexpr off_t most_content = 160 << 10;

/// Of the entry itself, not of what a link points to. False: errno says why.
bool look_at(const os::Fd& dir, const inet::Address& address, struct stat& status) {
    return ::fstatat(dir.get(), address.text().c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

std::uint32_t born_of(const struct stat& status) {
    return static_cast<std::uint32_t>(os::hash_bytes(std::as_bytes(std::span(&status.st_ctim, 1)), 0)) | 1U;
}

} // namespace

void LeaseFile::require_read() const {
    if (error != 0)
        throw os::Error(error, "read lease", address.text());
}

std::optional<inet::Address> address_of(std::string_view name) {
    const auto address = inet::Address::parse(name);
    return address && address->text() == name ? address : std::nullopt;
}

std::optional<LeaseFile> read_lease(const os::Fd& dir, const inet::Address& address) {
    struct stat status {};
    LeaseFile file{.address = address, .owner = {}};
    if (!look_at(dir, address, status)) {
        file.error = errno;
        return file.error == ENOENT ? std::nullopt : std::optional(file);
    }
    file.born = born_of(status);
    file.foreign = !S_ISREG(status.st_mode);
    if (file.foreign || status.st_size > most_content)
        return file;
    try {
        const auto content = os::read_file_at(dir, address.text(), most_content);
        if (!content)
            return std::nullopt;
        file.owner = os::trim(*content);
    } catch (const os::Error& error) {
        file.error = error.err();
    }
    return file;
}

std::uint32_t born_of(const os::Fd& dir, const inet::Address& address) {
    struct stat status {};
    return look_at(dir, address, status) ? born_of(status) : 0;
}

std::vector<inet::Address> list_leases(const os::Fd& dir) {
    std::vector<inet::Address> addresses;
    for (const std::string& name : os::list_dir(dir))
        if (const auto address = address_of(name))
            addresses.push_back(*address);
    return addresses;
}

void warn_of_foreign(const os::Fd& dir, const std::vector<inet::Address>& addresses) {
    constexpr std::size_t most_named = 5;
    std::string names;
    for (std::size_t i = 0; i < std::min(addresses.size(), most_named); ++i)
        names += os::cat(" ", os::path_at(dir, addresses[i].text()));
    if (addresses.size() > most_named)
        names += os::cat(" and ", addresses.size() - most_named, " more");
    if (!names.empty())
        os::warn(os::cat("left alone, no regular files but with the names of leases:", names,
                         "; remove them, and the addresses can be leased"));
}

std::string describe_owner(std::string_view owner) {
    const std::size_t end = owner.find("\r\n");
    if (owner.empty())
        return "nobody";
    if (end == owner.npos)
        return std::string(owner);
    return os::cat(owner.substr(0, end), " (", owner.substr(end + 2), ")");
}

} // namespace host_local
