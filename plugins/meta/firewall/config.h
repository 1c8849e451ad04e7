// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cni/invocation.h"
#include "cni/result.h"
#include "inet/address.h"
#include "nftables/ingress.h"

namespace firewall {

/// Whether firewalld is told, beside what nftables are told in any case.
enum class Firewalld : std::uint8_t { if_running, always, never };

/// The keys of README.md, checked, but for `policy`.
struct Config {
    Firewalld firewalld = Firewalld::if_running;
    std::string zone;
    std::string admin_chain;
    std::string policy; ///< as written; see ingress_of
    std::optional<cni::Result> prev_result;
};

/// Errors in the Go suite's words: `failed to load netconf: …`, `could not parse prevResult: …`.
[[nodiscard]] Config parse(const cni::Invocation& call);
/// For DEL and GC: what can be read, defaults for the rest.
[[nodiscard]] Config parse_leniently(const cni::Invocation& call);

struct IngressPolicy {
    nft::Ingress policy{};
    std::string bridge;             ///< the first of the result's interfaces; empty for `open`
    std::string vlan_gateway;       ///< "<bridge>.<vlan>", by which containers of a VLAN are routed; empty without one
    std::vector<std::string> ports; ///< of the bridge, the container's; for `isolated` alone
};
/// Error: `unknown ingress policy: "x"`, or the result names no bridge.
[[nodiscard]] IngressPolicy ingress_of(const Config& config);

/// What may be a port of the bridge: the other interfaces without a sandbox.
[[nodiscard]] std::vector<std::string> ports_of(const std::optional<cni::Result>& result);

/// Every address of the result, whatever interface it is on, without its prefix length.
[[nodiscard]] std::vector<inet::Address> addresses_of(const std::optional<cni::Result>& result);

} // namespace firewall
