// SPDX-License-Identifier: Apache-2.0
#include "dbus/address.h"

#include <cstdlib>

#include "os/text.h"

namespace dbus {

namespace {

std::optional<unsigned> digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char low = static_cast<char>(c | 0x20);
    return low >= 'a' && low <= 'f' ? std::optional<unsigned>(low - 'a' + 10) : std::nullopt;
}

/// A value of an address: bytes may be written %xx. Nothing when it is malformed, or holds a NUL.
std::optional<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char byte = text[at];
        if (byte == '%') {
            const auto high = at + 2 < text.size() ? digit(text[at + 1]) : std::nullopt;
            const auto low = high ? digit(text[at + 2]) : std::nullopt;
            if (!low)
                return std::nullopt;
            byte = static_cast<char>(*high * 16 + *low);
            at += 2;
        }
        if (byte == 0)
            return std::nullopt;
        out += byte;
    }
    return out;
}

} // namespace

std::optional<Address> parse_address(std::string_view list) {
    constexpr std::string_view transport = "unix:", path = "path=", abstract = "abstract=";
    for (const std::string_view entry : os::split(list, ';')) {
        if (!entry.starts_with(transport))
            continue;
        for (const std::string_view pair : os::split(entry.substr(transport.size()), ',')) {
            const bool is_path = pair.starts_with(path);
            if (!is_path && !pair.starts_with(abstract))
                continue;
            const auto value = unescape(pair.substr(is_path ? path.size() : abstract.size()));
            if (value && !value->empty())
                return Address{.path = *value, .abstract = !is_path};
        }
    }
    return std::nullopt;
}

std::optional<Address> system_bus_address() {
    const char* given = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    if (given != nullptr && *given != 0)
        return parse_address(given);
    return Address{.path = "/run/dbus/system_bus_socket"};
}

} // namespace dbus
