// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config.h"
#include "nftables/element.h"

// A container's port mappings are elements of the sets and maps of rules.h.
namespace portmap {

/// The elements of one container's mappings, both families; the same one twice counts once.
[[nodiscard]] std::vector<nft::Element> elements(const Config& config, const Targets& targets,
                                                 const std::string& owner);
/// Keeps packets from and to 127.0.0.0/8 off a device that routes loopback addresses. Shared, never removed.
[[nodiscard]] nft::Element localnet_guard(std::string_view device);

/// Keys of everything that an ADD may have made for these mappings, conditions and addresses, whatever its other
/// options were.
[[nodiscard]] std::vector<nft::Element> possible_keys(const Config& config, const Targets& targets);
/// Says that the attachment has mappings, and which: its key follows from the owner, its data from the possible keys.
[[nodiscard]] nft::Element record(const Config& config, const Targets& targets, const std::string& owner);
[[nodiscard]] nft::Element record_key(const std::string& owner); ///< without data
/// Every set that holds elements of containers.
[[nodiscard]] std::vector<std::string> owned_sets();

/// An element of one of the data maps, read back.
struct Mapped {
    std::optional<inet::Address> bound_to;
    Protocol protocol{};
    std::uint16_t host_port = 0, host_port_end = 0; ///< the same of a single port
    inet::Address container;
    std::uint16_t container_port = 0;
    [[nodiscard]] bool is_range() const { return host_port_end != host_port; }
    [[nodiscard]] std::string host_side() const; ///< "8080/tcp", "192.0.2.1:8000-8010/tcp", "[fd00::1]:8080/tcp"
};
/// What two mappings that overlap have in common, as part of `ours`.
[[nodiscard]] Mapped shared_ports(Mapped ours, const Mapped& theirs);
/// Nothing for elements of the other sets.
[[nodiscard]] std::optional<Mapped> read_mapped(const nft::Element& element);

/// Container and network in an owner name; nothing for a hashed one.
struct OwnerName {
    std::string_view network, container_id;
};
[[nodiscard]] std::optional<OwnerName> read_owner(std::string_view owner);

} // namespace portmap
