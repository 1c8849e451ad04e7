// SPDX-License-Identifier: Apache-2.0
// Addresses, prefixes, hardware addresses: what is read is written, and reads the same.
#include "fuzz.h"
#include "inet/address.h"
#include "inet/mac.h"

namespace {

void check(const inet::Address& address) {
    fuzz::must(inet::Address::parse(address.text()) == address, "an address reads as it is written");
    fuzz::must(inet::Address::from_bytes(address.bytes()) == address, "an address is its bytes");
    if (const auto next = address.next())
        fuzz::must(next->previous() == address && *next > address, "the next one's previous one");
}

void check(const inet::Prefix& prefix) {
    fuzz::must(inet::Prefix::parse(prefix.text()) == prefix, "a prefix reads as it is written");
    fuzz::must(prefix.contains(prefix.address) && prefix.contains(prefix.network()) && prefix.contains(prefix.last()),
               "a prefix contains its addresses");
    if (const auto outside = prefix.last().next())
        fuzz::must(!prefix.contains(*outside), "and no other");
}

} // namespace

FUZZ_TARGET(inet) {
    const auto text = fuzz::text_of(input);
    if (const auto address = inet::Address::parse(text))
        check(*address);
    if (const auto prefix = inet::Prefix::parse(text))
        check(*prefix);
    if (const auto mac = inet::Mac::parse(text); mac && *mac != inet::Mac())
        fuzz::must(inet::Mac::parse(mac->text()) == mac, "a MAC reads as it is written");
    if (const auto address = inet::Address::from_bytes(input))
        check(*address);
}
