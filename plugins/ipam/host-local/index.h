// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inet/address.h"
#include "os/fd.h"
#include "slot_table.h"
#include "used_addresses.h"

// A cache over one network's lease files: who holds what, and what is free. docs/formats.md describes the file.
// Everything here may throw Unusable while it works on a file; nothing does in memory.
namespace host_local {

/// One lease as the index knows it.
struct Lease {
    inet::Address address;
    std::uint32_t born = 0; ///< tells the lease file from a later one of the same name; see born_of()
    bool earlier_boot = false;
};

/// A state of the network's directory: whoever adds or removes a file there changes its time stamps.
struct Stamp {
    std::uint64_t device = 0, inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0;               ///< of the content: what put_stamp() sets
    std::int64_t change_seconds = 0, change_nanoseconds = 0; ///< of the status: what nobody can set
    [[nodiscard]] bool operator==(const Stamp&) const = default;
};

/// One slot of the owner table. Equal owners have equal hashes; that it is the owner the lease file proves.
struct OwnerSlot {
    std::uint64_t owner = 0;
    std::array<std::uint8_t, 16> address{};
    std::uint32_t born = 0;
    std::uint8_t family = 0; ///< inet::Family; 0: a free slot
    std::uint8_t earlier_boot = 0;
    std::uint16_t check = 0;

    [[nodiscard]] bool free() const { return family == 0; }
    [[nodiscard]] std::uint64_t hash() const { return owner; }
};

class Index {
  public:
    /// Empty, in memory. `former` gives its hash seed, so that the two can be compared.
    explicit Index(const Index* former);
    /// The file as it stands; Unusable when it is none of ours. Whether it is up to date is the next question.
    [[nodiscard]] static Index load(os::Fd file);
    /// True when the file describes the directory as it now is, in this boot.
    [[nodiscard]] bool describes(const Stamp& now, std::string_view boot_id) const;
    [[nodiscard]] bool of_boot(std::string_view boot_id) const;

    /// `owner` is the trimmed content of the lease file; empty: nobody's (torn or unreadable). Again: no change.
    void add(std::string_view owner, const Lease& lease);
    void remove(std::string_view owner, const inet::Address& address);
    [[nodiscard]] std::vector<Lease> leases_of(std::string_view owner);
    [[nodiscard]] std::optional<Lease> lease(std::string_view owner, const inet::Address& address);
    [[nodiscard]] std::vector<inet::Address> earlier_boot_leases();
    [[nodiscard]] std::optional<inet::Address> next_free(const inet::Address& first, const inet::Address& last) {
        return used_.next_free(first, last);
    }

    [[nodiscard]] std::uint64_t leases() const { return leases_; }
    [[nodiscard]] std::uint64_t earlier_boot() const { return earlier_boot_; }
    [[nodiscard]] std::uint64_t nobodys() const { return leases_ - owners_.count(); }

    /// Before the directory changes: from here until save() the file counts for nothing.
    void begin_change();
    /// Writes what the file lacks (all of it, to a new file renamed over the old one, after growth or a rebuild).
    void save(const os::Fd& dir, const std::string& name, const Stamp& stamp, std::string_view boot_id);

  private:
    struct Header;
    Index() = default;
    [[nodiscard]] Header header(const Stamp& stamp) const;
    [[nodiscard]] std::uint64_t hash(std::string_view owner) const;
    [[nodiscard]] std::optional<std::size_t> find(std::string_view owner, const inet::Address& address);
    void save_whole(const os::Fd& dir, const std::string& name, const Header& header);

    os::Fd file_;
    std::string boot_id_;
    Stamp stamp_;
    std::uint64_t seed_ = 0, leases_ = 0, earlier_boot_ = 0;
    SlotTable<OwnerSlot> owners_;
    UsedAddresses used_;
};

} // namespace host_local
