// SPDX-License-Identifier: Apache-2.0
#include "store.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cni/error.h"
#include "os/error.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/log.h"
#include "os/text.h"

namespace host_local {
namespace {

/// Well before a runtime gives up on us.
constexpr std::chrono::seconds lock_patience{15};
/// In the data dir, where the Go suite's walk through a network's directory does not come by. No network can
/// have this name.
constexpr const char* index_dir = ".cnative";

std::string index_name(const std::string& network) {
    return network + ".index";
}

std::string read_boot_id() {
    try {
        return std::string(os::trim(os::read_file("/proc/sys/kernel/random/boot_id", 63).value_or("")));
    } catch (const os::Error&) {
        return {};
    }
}

Stamp stamp_of(const os::Fd& dir) {
    struct stat status {};
    if (::fstat(dir.get(), &status) != 0)
        return {};
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .seconds = status.st_mtim.tv_sec,
            .nanoseconds = status.st_mtim.tv_nsec,
            .change_seconds = status.st_ctim.tv_sec,
            .change_nanoseconds = status.st_ctim.tv_nsec};
}

/// Gives the directory a time stamp that only we can have made: to the nanosecond, where the kernel's own are
/// those of its ticks, and another than before. All zero when the file system does not keep it as it is.
Stamp put_stamp(const os::Fd& dir) {
    const Stamp before = stamp_of(dir);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec == before.seconds && now.tv_nsec == before.nanoseconds)
        now.tv_nsec += now.tv_nsec < 999'999'999 ? 1 : -1;

    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, now};
    if (::futimens(dir.get(), times) != 0)
        return {};
    const Stamp after = stamp_of(dir);
    return after.seconds == now.tv_sec && after.nanoseconds == now.tv_nsec ? after : Stamp{};
}

os::Fd lock(const os::Fd& dir, const std::string& network, bool create) {
    try {
        return os::lock_file_at(dir, "lock", os::Deadline::in(lock_patience), create);
    } catch (const os::Error& error) {
        if (error.err() != ETIMEDOUT)
            throw;
        throw cni::Error(cni::Code::try_again_later,
                         os::cat("cannot lock the leases of network ", network, ": ", error.what()));
    }
}

/// Not locked when there is neither a lock nor a lease: whoever made the folder came no further, perhaps because the
/// file system has no inode left.
std::optional<os::Fd> lock_used(const os::Fd& dir, const std::string& network) {
    try {
        return lock(dir, network, false);
    } catch (const os::Error& error) {
        if (error.err() != ENOENT)
            throw;
    }
    return list_leases(dir).empty() ? std::nullopt : std::optional(lock(dir, network, true));
}

/// Whether the former index, of this boot or of another, shows the lease to be older than this boot.
bool is_of_earlier_boot(Index* former, const LeaseFile& file, std::string_view boot_id) {
    const bool this_boot = former != nullptr && (boot_id.empty() || former->of_boot(boot_id));
    if (former == nullptr || file.owner.empty() || (this_boot && former->earlier_boot() == 0))
        return false;
    const auto known = former->lease(file.owner, file.address);
    return known && known->born == file.born && (known->earlier_boot || !this_boot);
}

/// The Go suite works on, so do we; but whoever runs the host should know.
void warn_if_others_may_write(const os::Fd& dir, const std::string& path) {
    if (const std::string how = os::other_writers(dir); !how.empty())
        os::warn(
            os::cat("data dir ", path, " ", how,
                    ": who writes there can take and free any address; let it belong to root, and no other write"));
}

std::string cursor_name(std::size_t set) {
    return os::cat("last_reserved_ip.", set);
}

} // namespace

Store::Store(os::Fd root, os::Fd dir, os::Fd lock, std::string network)
    : root_(std::move(root)), dir_(std::move(dir)), lock_(std::move(lock)), network_(std::move(network)),
      boot_id_(read_boot_id()) {}

std::unique_ptr<Store> Store::open(const std::string& data_dir, const std::string& network) {
    os::Fd root = os::make_dirs(data_dir, 0755);
    os::Fd dir = os::make_dir_at(root, network, 0755);
    warn_if_others_may_write(root, data_dir);
    warn_if_others_may_write(dir, os::cat(data_dir, "/", network));
    os::Fd locked = lock(dir, network, true);
    return std::unique_ptr<Store>(new Store(std::move(root), std::move(dir), std::move(locked), network));
}

std::unique_ptr<Store> Store::open_existing(const std::string& data_dir, const std::string& network) {
    try {
        os::Fd root = os::open_dir(data_dir);
        auto dir = os::open_dir_at(root, network);
        auto locked = dir ? lock_used(*dir, network) : std::nullopt;
        if (!locked)
            return nullptr;
        return std::unique_ptr<Store>(new Store(std::move(root), std::move(*dir), std::move(*locked), network));
    } catch (const os::Error& error) {
        if (error.err() == ENOENT || error.err() == ENOTDIR)
            return nullptr;
        throw;
    }
}

Store::~Store() {
    try {
        if (index_ && (changed_ || rebuilt_))
            save_index();
    } catch (...) {
        // Then the next call reads the directory.
    }
}

void Store::save_index() {
    const Stamp stamp = put_stamp(dir_);
    if (stamp == Stamp{} || boot_id_.empty())
        return;
    index_->save(os::make_dir_at(root_, index_dir, 0700), index_name(network_), stamp, boot_id_);
}

std::optional<Index> Store::load_index() const {
    try {
        const auto dir = os::open_dir_at(root_, index_dir);
        const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
        os::Fd file(dir ? ::openat(dir->get(), index_name(network_).c_str(), flags) : -1);
        return file ? std::optional(Index::load(std::move(file))) : std::nullopt;
    } catch (const Unusable&) {
        return std::nullopt;
    } catch (const os::Error&) {
        return std::nullopt;
    }
}

Index& Store::index() {
    if (index_)
        return *index_;
    index_ = load_index();
    if (!index_ || !index_->describes(stamp_of(dir_), boot_id_))
        rebuild();
    return *index_;
}

void Store::rebuild() {
    const auto scan = [this](Index* former) {
        Index fresh(former);
        for (const inet::Address& address : list_leases(dir_))
            if (const auto file = read_lease(dir_, address))
                fresh.add(file->owner, {.address = address,
                                        .born = file->born,
                                        .earlier_boot = is_of_earlier_boot(former, *file, boot_id_)});
        return fresh;
    };
    // Should the scan fail, there is no index: not one that is known to be wrong.
    std::optional<Index> former = std::exchange(index_, std::nullopt);
    try {
        index_ = scan(former ? &*former : nullptr);
    } catch (const Unusable&) {
        index_ = scan(nullptr);
    }
    rebuilt_ = true;
}

/// Does it again on a new index when the present one turns out to be unusable; every action can be repeated.
template <typename Action> auto Store::with_index(Action&& action) {
    try {
        return action(index());
    } catch (const Unusable&) {
        rebuild();
        return action(*index_);
    }
}

void Store::begin_change() {
    with_index([](Index& index) { index.begin_change(); });
    changed_ = true;
}

std::vector<inet::Address> Store::leases_of(std::string_view owner) {
    for (;;) {
        std::vector<inet::Address> addresses;
        bool verified = true;
        for (const Lease& lease : with_index([&](Index& index) { return index.leases_of(owner); })) {
            const auto file = read_lease(dir_, lease.address);
            if (file)
                file->require_read();
            if (file && file->owner == owner)
                addresses.push_back(lease.address);
            else
                verified = false;
        }
        if (verified || rebuilt_) {
            std::sort(addresses.begin(), addresses.end(),
                      [](const auto& a, const auto& b) { return a.text() < b.text(); });
            return addresses;
        }
        rebuild();
    }
}

std::optional<inet::Address> Store::next_free(const inet::Address& first, const inet::Address& last) {
    return with_index([&](Index& index) { return index.next_free(first, last); });
}

bool Store::reserve(const inet::Address& address, std::string_view owner) {
    begin_change();
    if (!os::create_file_at(dir_, address.text(), owner, 0600)) {
        if (!rebuilt_ && with_index([&](Index& index) { return index.next_free(address, address).has_value(); }))
            rebuild();
        // Taken by what a scan does not see would be met again and again.
        with_index([&](Index& index) { index.add({}, {.address = address}); });
        return false;
    }
    try {
        const Lease lease{.address = address, .born = born_of(dir_, address)};
        with_index([&](Index& index) { index.add(owner, lease); });
    } catch (...) {
        os::unlink_at(dir_, address.text()); // the caller knows of no lease to give back
        throw;
    }
    return true;
}

void Store::release(const inet::Address& address, std::string_view owner) {
    const auto file = read_lease(dir_, address);
    if (!file)
        return;
    file->require_read();
    if (!file->foreign && file->owner == owner)
        remove(*file);
}

void Store::remove(const LeaseFile& file) {
    begin_change();
    os::unlink_at(dir_, file.address.text());
    with_index([&](Index& index) { index.remove(file.owner, file.address); });
}

bool Store::is_dead(const LeaseFile& file) {
    if (file.foreign || file.error != 0)
        return false;
    if (file.owner.empty())
        return true; // its writer held the lock that we hold now
    const auto known = with_index([&](Index& index) { return index.lease(file.owner, file.address); });
    return known && known->earlier_boot && known->born == file.born;
}

std::vector<LeaseFile> Store::dead_in(const RangeSet& set) {
    auto addresses = with_index([](Index& index) { return index.earlier_boot_leases(); });
    if (with_index([](Index& index) { return index.nobodys(); }) > 0)
        addresses = list_leases(dir_); // those without an owner are in no table

    std::vector<LeaseFile> dead;
    for (const inet::Address& address : addresses) {
        if (!set.contains(address))
            continue;
        if (auto file = read_lease(dir_, address); file && is_dead(*file))
            dead.push_back(std::move(*file));
    }
    return dead;
}

std::vector<inet::Address> Store::foreign_in(const RangeSet& set) {
    std::vector<inet::Address> foreign;
    if (with_index([](Index& index) { return index.nobodys(); }) == 0)
        return foreign;
    for (const inet::Address& address : list_leases(dir_))
        if (const auto file = set.contains(address) ? read_lease(dir_, address) : std::nullopt; file && file->foreign)
            foreign.push_back(address);
    return foreign;
}

bool Store::has_dead(const RangeSet& set) {
    return !dead_in(set).empty();
}

std::size_t Store::give_up_dead(const RangeSet& set) {
    const std::vector<LeaseFile> dead = dead_in(set);
    for (const LeaseFile& file : dead)
        remove(file);
    return dead.size();
}

bool Store::recheck() {
    if (rebuilt_ || with_index([](Index& index) { return index.leases(); }) == list_leases(dir_).size())
        return false;
    rebuild();
    return true;
}

std::optional<inet::Address> Store::last_reserved(std::size_t set) {
    try {
        return inet::Address::parse(os::read_file_at(dir_, cursor_name(set), 4096).value_or(""));
    } catch (const os::Error& error) {
        os::warn(os::cat("the last reserved address is not known, starting from the first: ", error.what()));
        return std::nullopt;
    }
}

void Store::set_last_reserved(std::size_t set, const inet::Address& address) {
    begin_change();
    os::rewrite_file_at(dir_, cursor_name(set), address.text(), 0600);
}

} // namespace host_local
