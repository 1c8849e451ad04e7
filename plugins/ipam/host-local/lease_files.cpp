// SPDX-License-Identifier: Apache-2.0
#include "lease_files.h"

#include <cerrno>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>

#include "os/error.h"
#include "os/file.h"
#include "os/hash.h"
#include "os/text.h"
#include "region.h"

namespace host_local {
namespace {

/// An environment variable, which the container ID comes from, is at most 128 KiB long.
constexpr std::size_t most_content = std::size_t{160} << 10;

} // namespace

void LeaseFile::require_read() const {
    // A directory, a device, a link, more than a lease can hold: no lease of ours or of the Go suite's.
    const bool no_lease =
        error == 0 || error == EISDIR || error == EINVAL || error == ENXIO || error == ELOOP || error == EFBIG;
    if (!no_lease)
        throw os::Error(error, "read lease", address.text());
}

std::optional<inet::Address> address_of(std::string_view name) {
    const auto address = inet::Address::parse(name);
    return address && address->text() == name ? address : std::nullopt;
}

std::optional<LeaseFile> read_lease(const os::Fd& dir, const inet::Address& address) {
    try {
        const auto content = os::read_file_at(dir, address.text(), most_content);
        if (!content)
            return std::nullopt;
        return LeaseFile{.address = address, .owner = std::string(os::trim(*content)), .born = born_of(dir, address)};
    } catch (const os::Error& error) {
        return LeaseFile{.address = address, .owner = {}, .error = error.err()};
    }
}

std::uint32_t born_of(const os::Fd& dir, const inet::Address& address) {
    struct stat status {};
    if (::fstatat(dir.get(), address.text().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    return static_cast<std::uint32_t>(os::hash_bytes(std::as_bytes(std::span(&status.st_ctim, 1)), 0)) | 1U;
}

std::vector<inet::Address> list_leases(const os::Fd& dir) {
    std::vector<inet::Address> addresses;
    for (const std::string& name : os::list_dir(dir))
        if (const auto address = address_of(name))
            addresses.push_back(*address);
    return addresses;
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
