// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni/object.h"
#include "inet/address.h"

namespace cni {

// The result of an ADD in its newest shape (SPEC 1.1.0, section 5); the seven wire forms live in
// result_read.cpp and result_write.cpp only. Empty strings, zero numbers and absent optionals are not printed.

struct Interface {
    std::string name, mac;
    std::uint32_t mtu = 0;
    std::string sandbox, socket_path, pci_id;
    bool null = false; ///< such an element of the list, handed on as it is
};

struct IpConfig {
    std::optional<std::int64_t> interface; ///< index into Result::interfaces; kept as sent, check before use
    inet::Prefix address;                  ///< host bits kept
    std::optional<inet::Address> gateway;
};

struct Route {
    std::optional<inet::Prefix> dst; ///< printed as "<nil>" when absent, as the Go suite does
    std::optional<inet::Address> gw;
    std::int64_t mtu = 0, advmss = 0, priority = 0;
    std::optional<std::int64_t> table, scope;
    bool null = false; ///< as in Interface
};

struct Dns {
    std::vector<std::string> nameservers;
    std::string domain;
    std::vector<std::string> search, options;
    [[nodiscard]] bool empty() const;
};

struct Result {
    std::vector<Interface> interfaces;
    std::vector<IpConfig> ips;
    std::vector<Route> routes;
    Dns dns;

    /// Of whatever interface, with their prefix lengths.
    [[nodiscard]] std::vector<inet::Prefix> addresses() const;

    /// Reads a result of any of the seven versions. `version` picks the decoder; the document's own cniVersion
    /// (taken as `version` when missing or empty) must belong to the same family of shapes, else Error(999)
    /// `result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "X"`.
    [[nodiscard]] static Result read(const Object& document, std::string_view version);
    /// JSON with 4-space indent, no newline at the end, keys in the Go suite's order for that version.
    /// Throws Error(999) `cannot convert: no valid IP addresses` for 0.1.0 and 0.2.0 without an address.
    [[nodiscard]] std::string write(std::string_view version) const;
};

/// Reads {dst, gw, mtu, …} / {nameservers, …}; used by results and by configs alike.
[[nodiscard]] Route read_route(const Object& object);
[[nodiscard]] Dns read_dns(const Object& object);

} // namespace cni
