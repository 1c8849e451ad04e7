// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include <linux/netlink.h>

// Attributes of netlink messages that may hold anything: in spans, so that no length in an answer leads out of what it
// is part of.
namespace os {

/// What an attribute holds: a value, or attributes one behind the other.
using Payload = std::span<const std::uint8_t>;

/// The attributes of a message that was received whole, behind its family's own header.
[[nodiscard]] inline Payload attributes_of(const nlmsghdr* message, std::size_t family_header) noexcept {
    const std::size_t skipped = NLMSG_HDRLEN + NLMSG_ALIGN(family_header);
    if (message->nlmsg_len < skipped)
        return {};
    return Payload(reinterpret_cast<const std::uint8_t*>(message), message->nlmsg_len).subspan(skipped);
}

/// Calls each(type, payload), up to the first attribute that is not whole.
template <typename Each> void for_each_attribute(Payload bytes, const Each& each) {
    nlattr header{};
    while (bytes.size() >= sizeof header) {
        std::memcpy(&header, bytes.data(), sizeof header);
        const std::size_t length = header.nla_len;
        if (length < sizeof header || length > bytes.size())
            return;
        each(header.nla_type & NLA_TYPE_MASK, bytes.subspan(sizeof header, length - sizeof header));
        bytes = bytes.subspan(std::min(bytes.size(), std::size_t{NLA_ALIGN(length)}));
    }
}

/// The first attribute of a type; empty as well when there is none.
[[nodiscard]] inline Payload attribute_in(Payload bytes, int wanted) {
    Payload found;
    for_each_attribute(bytes, [&](int type, Payload payload) {
        if (type == wanted && found.data() == nullptr)
            found = payload;
    });
    return found;
}

/// Up to a NUL or the end.
[[nodiscard]] inline std::string_view text_in(Payload bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text.substr(0, text.find('\0'));
}

/// A number in network order; nothing when there are too few bytes for one.
template <std::unsigned_integral Number> [[nodiscard]] std::optional<Number> number_in(Payload bytes) {
    if (bytes.size() < sizeof(Number))
        return std::nullopt;
    std::uint64_t number = 0;
    for (const std::uint8_t byte : bytes.first(sizeof(Number)))
        number = number << 8 | byte;
    return static_cast<Number>(number);
}

} // namespace os
