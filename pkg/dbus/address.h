// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dbus {

/// Where a bus listens.
struct Address {
    std::string path;      ///< of a socket file, or a name
    bool abstract = false; ///< in the abstract namespace
};

/// The first address of a list like "unix:path=/run/dbus/system_bus_socket,guid=…;tcp:host=…" that is a unix socket;
/// nothing when there is none.
[[nodiscard]] std::optional<Address> parse_address(std::string_view list);
/// The system bus's: DBUS_SYSTEM_BUS_ADDRESS, else the well-known socket.
[[nodiscard]] std::optional<Address> system_bus_address();

} // namespace dbus
