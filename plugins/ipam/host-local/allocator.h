// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "inet/address.h"
#include "lease_files.h"
#include "ranges.h"
#include "store.h"

namespace host_local {

// Both make the lease, and leave moving the cursor to the caller. Both throw cni::Error in the Go
// suite's words, with what else is to be said on stderr.

/// Leases an address that was asked for; it must be in the set.
void reserve_requested(Store& store, const RangeSet& set, const Owner& owner, const inet::Address& address);
/// Leases the next free address. Refused when the owner has one in this set.
[[nodiscard]] inet::Address reserve_next(Store& store, const RangeSet& set, std::size_t index, const Owner& owner);
/// Whether reserve_next() would find nothing.
[[nodiscard]] bool is_exhausted(Store& store, const RangeSet& set);

} // namespace host_local
