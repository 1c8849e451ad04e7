// SPDX-License-Identifier: Apache-2.0
#include "index.h"

#include <algorithm>
#include <bit>
#include <span>

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/hash.h"
#include "os/text.h"

namespace host_local {

/// The first bytes of the file, in the machine's byte order. Do not change: make a new format number.
struct Index::Header {
    std::array<char, 8> magic;
    std::uint64_t format;
    std::array<char, 64> boot_id;
    Stamp stamp; ///< all zero: being changed
    std::uint64_t seed, leases, earlier_boot;
    std::uint64_t owner_capacity, owner_count, node_capacity, node_count;
    std::uint64_t checksum; ///< of all before it
};

namespace {

constexpr std::array<char, 8> magic{'c', 'n', 'a', 't', 'i', 'v', 'e', 'L'};
constexpr std::uint64_t format = 1;
constexpr std::size_t tables_at = 256;
/// 2^24 leases are more than any network has, and half a gigabyte of index.
constexpr std::uint64_t most_slots = std::uint64_t{1} << 24;

bool is_capacity(std::uint64_t slots) {
    return slots >= SlotTable<Node>::least_capacity && slots <= most_slots && std::has_single_bit(slots);
}

/// Keyed, so that nobody can choose container names that fall on one slot.
std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        seed = static_cast<std::uint64_t>(now.tv_nsec);
    }
    return seed;
}

std::array<std::uint8_t, 16> padded(const inet::Address& address) {
    std::array<std::uint8_t, 16> bytes{};
    std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
    return bytes;
}

Lease lease_in(const OwnerSlot& slot) {
    const std::size_t size = slot.family == static_cast<std::uint8_t>(inet::Family::v4) ? 4 : 16;
    const auto address = inet::Address::from_bytes(std::span(slot.address).first(size));
    return {.address = address.value_or(inet::Address()), .born = slot.born, .earlier_boot = slot.earlier_boot != 0};
}

} // namespace

Index::Index(const Index* former) : seed_(former != nullptr ? former->seed_ : random_seed()) {}

Index Index::load(os::Fd file) {
    static_assert(sizeof(Header) <= tables_at && std::has_unique_object_representations_v<Header>);
    Header header{};
    const auto bytes = std::as_writable_bytes(std::span(&header, 1));
    read_exactly(file.get(), 0, bytes);
    if (header.magic != magic || header.format != format ||
        header.checksum != os::hash_bytes(bytes.first(offsetof(Header, checksum)), format))
        throw Unusable();

    struct stat status {};
    if (!is_capacity(header.owner_capacity) || !is_capacity(header.node_capacity) ||
        header.owner_count > header.owner_capacity || header.node_count > header.node_capacity ||
        ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
        throw Unusable();
    const std::uint64_t owner_bytes = header.owner_capacity * sizeof(OwnerSlot);
    const std::uint64_t node_bytes = header.node_capacity * sizeof(Node);
    if (static_cast<std::uint64_t>(status.st_size) != tables_at + owner_bytes + node_bytes)
        throw Unusable();

    Index index;
    index.boot_id_ = header.boot_id.data(); // zero-terminated: see header()
    index.stamp_ = header.stamp;
    index.seed_ = header.seed;
    index.leases_ = header.leases;
    index.earlier_boot_ = header.earlier_boot;
    index.owners_ = SlotTable<OwnerSlot>(Region(file.get(), tables_at, owner_bytes), header.owner_count);
    index.used_ =
        UsedAddresses(SlotTable<Node>(Region(file.get(), tables_at + owner_bytes, node_bytes), header.node_count));
    index.file_ = std::move(file);
    return index;
}

bool Index::of_boot(std::string_view boot_id) const {
    return !boot_id.empty() && boot_id_ == boot_id;
}

bool Index::describes(const Stamp& now, std::string_view boot_id) const {
    return stamp_ != Stamp{} && stamp_ == now && of_boot(boot_id);
}

std::uint64_t Index::hash(std::string_view owner) const {
    return os::hash_bytes(std::as_bytes(std::span(owner.data(), owner.size())), seed_);
}

std::optional<std::size_t> Index::find(std::string_view owner, const inet::Address& address) {
    const auto bytes = padded(address);
    const auto family = static_cast<std::uint8_t>(address.family());
    return owners_.find(hash(owner),
                        [&](const OwnerSlot& slot) { return slot.address == bytes && slot.family == family; });
}

void Index::add(std::string_view owner, const Lease& lease) {
    if (used_.insert(lease.address))
        ++leases_;
    if (owner.empty() || find(owner, lease.address))
        return;
    owners_.insert({.owner = hash(owner),
                    .address = padded(lease.address),
                    .born = lease.born,
                    .family = static_cast<std::uint8_t>(lease.address.family()),
                    .earlier_boot = lease.earlier_boot});
    earlier_boot_ += lease.earlier_boot ? 1 : 0;
}

void Index::remove(std::string_view owner, const inet::Address& address) {
    if (const auto at = owner.empty() ? std::nullopt : find(owner, address)) {
        earlier_boot_ -= owners_.get(*at).earlier_boot != 0 && earlier_boot_ > 0 ? 1 : 0;
        owners_.erase(*at);
    }
    if (used_.erase(address) && leases_ > 0)
        --leases_;
}

std::vector<Lease> Index::leases_of(std::string_view owner) {
    std::vector<Lease> leases;
    // find() with a predicate that never says yes looks at every slot of that hash.
    (void)owners_.find(hash(owner), [&](const OwnerSlot& slot) {
        leases.push_back(lease_in(slot));
        return false;
    });
    return leases;
}

std::optional<Lease> Index::lease(std::string_view owner, const inet::Address& address) {
    const auto at = find(owner, address);
    return at ? std::optional(lease_in(owners_.get(*at))) : std::nullopt;
}

std::vector<inet::Address> Index::earlier_boot_leases() {
    std::vector<inet::Address> addresses;
    if (earlier_boot_ > 0)
        owners_.for_each([&](const OwnerSlot& slot) {
            if (slot.earlier_boot != 0)
                addresses.push_back(lease_in(slot).address);
        });
    return addresses;
}

Index::Header Index::header(const Stamp& stamp) const {
    Header header{.magic = magic,
                  .format = format,
                  .boot_id = {},
                  .stamp = stamp,
                  .seed = seed_,
                  .leases = leases_,
                  .earlier_boot = earlier_boot_,
                  .owner_capacity = owners_.capacity(),
                  .owner_count = owners_.count(),
                  .node_capacity = used_.nodes().capacity(),
                  .node_count = used_.nodes().count(),
                  .checksum = 0};
    std::copy_n(boot_id_.begin(), std::min(boot_id_.size(), header.boot_id.size() - 1), header.boot_id.begin());
    const auto bytes = std::as_bytes(std::span(&header, 1));
    header.checksum = os::hash_bytes(bytes.first(offsetof(Header, checksum)), format);
    return header;
}

void Index::begin_change() {
    if (!file_ || stamp_ == Stamp{})
        return;
    stamp_ = {};
    const Header changing = header(stamp_);
    write_exactly(file_.get(), 0, std::as_bytes(std::span(&changing, 1)));
}

void Index::save(const os::Fd& dir, const std::string& name, const Stamp& stamp, std::string_view boot_id) {
    boot_id_ = boot_id;
    stamp_ = stamp;
    const Header saved = header(stamp);
    const bool in_file = file_ && !owners_.region().in_memory() && !used_.nodes().region().in_memory();
    if (in_file)
        write_exactly(file_.get(), 0, std::as_bytes(std::span(&saved, 1)));
    else
        save_whole(dir, name, saved);
}

void Index::save_whole(const os::Fd& dir, const std::string& name, const Header& header) {
    owners_.region().to_memory();
    used_.nodes().region().to_memory();

    const std::string temporary = os::cat(name, ".new");
    os::Fd file(::openat(dir.get(), temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file)
        throw Unusable();
    try {
        const auto owners = owners_.region().bytes(), nodes = used_.nodes().region().bytes();
        write_exactly(file.get(), 0, std::as_bytes(std::span(&header, 1)));
        write_exactly(file.get(), tables_at, owners);
        write_exactly(file.get(), tables_at + owners.size(), nodes);
        if (::renameat(dir.get(), temporary.c_str(), dir.get(), name.c_str()) != 0)
            throw Unusable();
    } catch (const Unusable&) {
        ::unlinkat(dir.get(), temporary.c_str(), 0);
        throw;
    }
}

} // namespace host_local
