// SPDX-License-Identifier: Apache-2.0
#include "allocator.h"

#include <algorithm>
#include <optional>
#include <string>

#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace host_local {
namespace {

std::optional<inet::Address> next_free(Store& store, const Stretch& stretch) {
    auto address = store.next_free(stretch.first, stretch.last);
    if (address == stretch.range->gateway && *address != stretch.last)
        address = store.next_free(*address->next(), stretch.last);
    return address == stretch.range->gateway ? std::nullopt : address;
}

std::optional<inet::Address> next_free(Store& store, const std::vector<Stretch>& stretches) {
    for (const Stretch& stretch : stretches)
        if (const auto address = next_free(store, stretch))
            return address;
    return std::nullopt;
}

/// True when there is something free now: what the index had missed, or the leases of dead owners.
bool make_room(Store& store, const RangeSet& set) {
    if (store.recheck())
        return true;
    const std::size_t given_up = store.give_up_dead(set);
    if (given_up > 0)
        os::warn(
            os::cat("range set ", set.text(),
                    " was exhausted: leases given up that were made before this boot or never completed: ", given_up));
    return given_up > 0;
}

[[noreturn]] void refuse_exhausted(Store& store, const RangeSet& set) {
    const auto leases = store.all_leases();
    const auto held = std::count_if(leases.begin(), leases.end(), [&](const auto& a) { return set.contains(a); });
    os::warn(os::cat("range set ", set.text(), " has ", set.size_text(), " addresses and holds ", held, " leases"));
    store.warn_of_foreign(store.foreign_in(set));
    throw cni::Error(os::cat("no IP addresses available in range set: ", set.text()));
}

/// Removes the lease when its owner cannot be alive.
bool give_up(Store& store, const inet::Address& address) {
    const auto file = store.lease(address);
    if (!file || !store.is_dead(*file))
        return false;
    os::warn(os::cat("gave up the lease of ", address.text(), " for ", describe_owner(file->owner),
                     ": made before this boot or never completed"));
    store.release(address, file->owner);
    return true;
}

/// The owner's leases as the Go suite finds them: new ones, and old ones that name the container only.
std::vector<inet::Address> leases_of(Store& store, const Owner& owner) {
    auto leases = store.leases_of(owner.text());
    for (const inet::Address& address : store.leases_of(owner.legacy_text()))
        leases.push_back(address);
    std::sort(leases.begin(), leases.end(), [](const auto& a, const auto& b) { return a.text() < b.text(); });
    return leases;
}

} // namespace

void reserve_requested(Store& store, const RangeSet& set, const Owner& owner, const inet::Address& address) {
    if (address == set.range_of(address)->gateway)
        throw cni::Error(os::cat("requested ip ", address.text(), " is subnet's gateway"));
    if (store.reserve(address, owner.text()) || (give_up(store, address) && store.reserve(address, owner.text())))
        return;

    if (const auto file = store.lease(address))
        os::warn(os::cat("requested IP address ", address.text(), " is held by ",
                         file->foreign ? "what is no lease file; remove it" : describe_owner(file->owner)));
    throw cni::Error(os::cat("requested IP address ", address.text(), " is not available in range set ", set.text()));
}

inet::Address reserve_next(Store& store, const RangeSet& set, std::size_t index, const Owner& owner) {
    for (const inet::Address& address : leases_of(store, owner))
        if (set.contains(address) && !give_up(store, address))
            throw cni::Error(os::cat(address.text(), " has been allocated to ", owner.container_id,
                                     ", duplicate allocation is not allowed"));

    const auto stretches = round_robin(set, store.last_reserved(index));
    for (;;) {
        const auto address = next_free(store, stretches);
        if (address && store.reserve(*address, owner.text()))
            return *address;
        if (!address && !make_room(store, set))
            refuse_exhausted(store, set);
    }
}

bool is_exhausted(Store& store, const RangeSet& set) {
    const auto stretches = round_robin(set, std::nullopt);
    return !next_free(store, stretches) && !(store.recheck() && next_free(store, stretches)) && !store.has_dead(set);
}

} // namespace host_local
