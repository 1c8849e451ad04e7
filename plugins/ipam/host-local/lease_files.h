// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inet/address.h"
#include "os/fd.h"

// The files of a network's directory, shared with the Go suite; docs/formats.md has the grammar.
namespace host_local {

/// Who a lease is for. In a lease file: the ID, CR LF, the interface; old ones have the ID alone.
struct Owner {
    std::string container_id, ifname;

    [[nodiscard]] std::string text() const { return container_id + "\r\n" + ifname; }
    [[nodiscard]] const std::string& legacy_text() const { return container_id; }
};

/// One lease file.
struct LeaseFile {
    inet::Address address;
    std::string owner; ///< the content, trimmed; empty: torn, its writer was killed before it wrote, or no owner's
    std::uint32_t born = 0;
    bool foreign = false; ///< a folder, link, FIFO, socket or device: the address is taken, and it is not touched
    int error = 0;        ///< errno of reading it; the address is taken all the same, by whom is not known

    /// Throws os::Error when it could not be read.
    void require_read() const;
};

/// The address whose lease file has this name; nothing for "lock" and other names.
[[nodiscard]] std::optional<inet::Address> address_of(std::string_view name);
/// Nothing when there is no such lease.
[[nodiscard]] std::optional<LeaseFile> read_lease(const os::Fd& dir, const inet::Address& address);
/// A few bits of the file's status change time: another file under the name, a copy included, has others.
[[nodiscard]] std::uint32_t born_of(const os::Fd& dir, const inet::Address& address);
/// Every address with a lease file, in the directory's order.
[[nodiscard]] std::vector<inet::Address> list_leases(const os::Fd& dir);

/// Names on stderr what has a lease's name and is none; no line when there is nothing.
void warn_of_foreign(const os::Fd& dir, const std::vector<inet::Address>& addresses);

/// "c1 (eth0)", for messages.
[[nodiscard]] std::string describe_owner(std::string_view owner);

} // namespace host_local
