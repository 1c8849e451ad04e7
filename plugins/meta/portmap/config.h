// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni/invocation.h"
#include "cni/result.h"
#include "conditions.h"
#include "inet/address.h"

namespace portmap {

/// IP protocol numbers.
enum class Protocol : std::uint8_t { tcp = 6, udp = 17, sctp = 132 };
[[nodiscard]] std::string_view text(Protocol protocol);
[[nodiscard]] std::string ports_text(std::uint16_t first, std::uint16_t last); ///< "8080", "8000-8010"

/// One entry of runtimeConfig.portMappings.
struct Mapping {
    std::uint16_t host_port = 0;
    std::uint16_t container_port = 0;
    /// The last port of a range, whose ports are the same on both sides; else host_port.
    std::uint16_t host_port_end = 0;
    Protocol protocol = Protocol::tcp;
    /// Nothing: every address of this host, both families. 0.0.0.0 and :: are every address of one family.
    std::optional<inet::Address> host_ip;

    [[nodiscard]] bool is_range() const { return host_port_end != host_port; }
    [[nodiscard]] bool applies_to(inet::Family family) const { return !host_ip || host_ip->family() == family; }
    /// The host address it is bound to; nothing when it is open on all of them.
    [[nodiscard]] std::optional<inet::Address> bound_to() const;
};

/// The keys of README.md, checked.
struct Config {
    bool snat = true;
    bool masq_all = false;
    Conditions conditions_v4, conditions_v6;
    std::vector<Mapping> mappings;
    std::optional<cni::Result> prev_result;

    [[nodiscard]] const Conditions& conditions(inet::Family family) const {
        return family == inet::Family::v4 ? conditions_v4 : conditions_v6;
    }
};

/// Everything that can be refused without touching the system, in the Go suite's words and order.
[[nodiscard]] Config parse(const cni::Invocation& call);
/// For DEL: the mappings and conditions of a config that may be broken; nothing when they cannot be relied upon.
[[nodiscard]] std::optional<Config> parse_leniently(const cni::Invocation& call);

/// As written; 0 for what cannot be read.
[[nodiscard]] std::size_t count_mappings(const cni::Invocation& call);

/// The container's addresses (with prefix length): the first one of each family.
struct Targets {
    std::optional<inet::Prefix> v4, v6;
};
/// Addresses of interfaces that are known not to be the container's CNI_IFNAME do not count.
[[nodiscard]] Targets container_addresses(const cni::Result& result, std::string_view ifname);
/// The interface of the host that the result tells of last before the container's: the other end of it, with bridge and
/// ptp. Empty when there is none.
[[nodiscard]] std::string host_interface(const cni::Result& result, std::string_view ifname);

} // namespace portmap
