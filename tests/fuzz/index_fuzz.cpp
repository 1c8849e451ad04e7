// SPDX-License-Identifier: Apache-2.0
// The lease index's file. Checksums are put right, or nothing behind them would be reached.
#include <array>
#include <cstring>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "index.h"
#include "os/hash.h"

namespace {

// docs/formats.md, "index".
constexpr std::size_t checksum_at = 184, tables_at = 256, capacities_at = 152, slots = 64;

template <typename Slot> void put_check(std::uint8_t* at) {
    Slot slot{};
    std::memcpy(&slot, at, sizeof slot);
    if (slot.free())
        return;
    slot.check = 0;
    slot.check = static_cast<std::uint16_t>(os::hash_bytes(std::as_bytes(std::span(&slot, 1)), sizeof slot) | 1U);
    std::memcpy(at, &slot, sizeof slot);
}

void put_number(std::uint8_t* at, std::uint64_t value) {
    std::memcpy(at, &value, sizeof value);
}

std::vector<std::uint8_t> file_of(fuzz::Bytes input) {
    const unsigned choice = fuzz::take_byte(input);
    constexpr std::size_t nodes_at = tables_at + slots * sizeof(host_local::OwnerSlot);
    std::vector<std::uint8_t> file(nodes_at + slots * sizeof(host_local::Node));
    std::memcpy(file.data(), input.data(), std::min(input.size(), file.size()));
    std::memcpy(file.data(), "cnativeL\1\0\0\0\0\0\0\0", 16);
    if ((choice & 1U) != 0)
        for (const std::size_t at : {capacities_at, capacities_at + 16}) {
            put_number(file.data() + at, slots);
            file[at + 8] %= slots + 1;
            std::memset(file.data() + at + 9, 0, 7);
        }
    if ((choice & 2U) != 0)
        for (std::size_t i = 0; i < slots; ++i) {
            put_check<host_local::OwnerSlot>(file.data() + tables_at + i * sizeof(host_local::OwnerSlot));
            put_check<host_local::Node>(file.data() + nodes_at + i * sizeof(host_local::Node));
        }
    if ((choice & 4U) == 0)
        put_number(file.data() + checksum_at, os::hash_bytes(std::as_bytes(std::span(file).first(checksum_at)), 1));
    return file;
}

void use(host_local::Index index) {
    const auto first = inet::Address::parse("10.1.0.1").value(), last = inet::Address::parse("10.1.3.254").value();
    (void)index.describes({}, "boot");
    (void)index.leases_of("c1\r\neth0");
    (void)index.earlier_boot_leases();
    if (const auto free = index.next_free(first, last)) {
        fuzz::must(*free >= first && *free <= last, "a free address is one of the range");
        index.begin_change();
        index.add("c1\r\neth0", {.address = *free});
        fuzz::must(index.lease("c1\r\neth0", *free).has_value(), "what was added is there");
        index.remove("c1\r\neth0", *free);
    }
}

} // namespace

FUZZ_TARGET(index) {
    const auto bytes = file_of(input);
    os::Fd file(::memfd_create("index", MFD_CLOEXEC));
    fuzz::must(file && ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
               "there is a file");
    try {
        use(host_local::Index::load(std::move(file)));
    } catch (const host_local::Unusable&) { // NOLINT(bugprone-empty-catch): said to be damaged, as it is
    }
}
