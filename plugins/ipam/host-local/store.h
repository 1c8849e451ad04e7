// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index.h"
#include "inet/address.h"
#include "lease_files.h"
#include "os/fd.h"
#include "ranges.h"

namespace host_local {

/// One network's leases, locked against every other call, the Go suite's included, for as long as it lives.
/// The lease files are the truth. The index beside them is believed while nobody else has changed the directory;
/// what it finds is verified in the file; otherwise the directory is read, once.
class Store {
  public:
    /// Creates the directory when missing. Throws cni::Error(try_again_later) when the lock stays taken.
    [[nodiscard]] static std::unique_ptr<Store> open(const std::string& data_dir, const std::string& network);
    /// Null when the network has no directory, or one without lock and leases: there is nothing to look at or give
    /// back.
    [[nodiscard]] static std::unique_ptr<Store> open_existing(const std::string& data_dir, const std::string& network);
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    ~Store(); ///< brings the index up to date

    /// Addresses whose lease file says exactly `owner`, in the order of their names. Throws when one known to be
    /// the owner's cannot be read.
    [[nodiscard]] std::vector<inet::Address> leases_of(std::string_view owner);
    /// Nothing when the address is not leased.
    [[nodiscard]] std::optional<LeaseFile> lease(const inet::Address& address) { return read_lease(dir_, address); }
    [[nodiscard]] std::vector<inet::Address> all_leases() { return list_leases(dir_); }
    [[nodiscard]] std::optional<inet::Address> next_free(const inet::Address& first, const inet::Address& last);

    /// Makes the lease file. false: the address is taken. There is none when this throws.
    bool reserve(const inet::Address& address, std::string_view owner);
    /// Removes the lease if it is this owner's.
    void release(const inet::Address& address, std::string_view owner);
    /// Whether the lease's owner cannot be alive: made before this boot, or torn.
    [[nodiscard]] bool is_dead(const LeaseFile& file);
    /// Removes the set's dead leases; how many there were.
    std::size_t give_up_dead(const RangeSet& set);
    /// What keeps addresses of the set from being leased and is no lease.
    [[nodiscard]] std::vector<inet::Address> foreign_in(const RangeSet& set);
    void warn_of_foreign(const std::vector<inet::Address>& addresses) const {
        host_local::warn_of_foreign(dir_, addresses);
    }
    /// Whether the set has a dead lease.
    [[nodiscard]] bool has_dead(const RangeSet& set);
    /// Compares the index with the directory. true: it was wrong and has been made anew.
    bool recheck();

    /// The round robin's cursor of range set number `set`.
    [[nodiscard]] std::optional<inet::Address> last_reserved(std::size_t set);
    void set_last_reserved(std::size_t set, const inet::Address& address);

  private:
    Store(os::Fd root, os::Fd dir, os::Fd lock, std::string network);
    [[nodiscard]] Index& index();
    [[nodiscard]] std::optional<Index> load_index() const;
    template <typename Action> auto with_index(Action&& action);
    void rebuild();
    void begin_change();
    void save_index();
    void remove(const LeaseFile& file);
    [[nodiscard]] std::vector<LeaseFile> dead_in(const RangeSet& set);

    os::Fd root_, dir_, lock_;
    std::string network_, boot_id_;
    std::optional<Index> index_;
    bool rebuilt_ = false; ///< in this call: the index is as good as the directory
    bool changed_ = false; ///< the index file no longer describes the directory
};

} // namespace host_local
