// SPDX-License-Identifier: Apache-2.0
// What a message bus sends, and where it is said to be.
#include "dbus/address.h"
#include "dbus/message.h"
#include "fuzz.h"

FUZZ_TARGET(dbus) {
    if (input.size() >= dbus::header_start) {
        if (const auto size = dbus::size_of(input.first(dbus::header_start)))
            fuzz::must(*size >= dbus::header_start && *size <= dbus::most_bytes, "a size within the limits");
    }
    (void)dbus::decode(input);
    (void)dbus::parse_address(fuzz::text_of(input));
}
