// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace firewall {

namespace {

constexpr std::size_t longest_ifname = 15;
constexpr std::string_view default_zone = "trusted", default_admin_chain = "CNI-ADMIN";

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

/// As `bridge` calls the gateway of a VLAN.
bool is_vlan_of(std::string_view name, std::string_view bridge) {
    return name.size() > bridge.size() + 1 && name.size() <= longest_ifname && name.starts_with(bridge) &&
           name[bridge.size()] == '.' &&
           std::ranges::all_of(name.substr(bridge.size() + 1), [](char c) { return c >= '0' && c <= '9'; });
}

/// Behind the container's interfaces.
std::string vlan_gateway_of(const std::vector<cni::Interface>& interfaces) {
    for (std::size_t i = interfaces.size(); i > 0 && interfaces[i - 1].sandbox.empty(); --i) {
        if (is_vlan_of(interfaces[i - 1].name, interfaces.front().name))
            return interfaces[i - 1].name;
    }
    return {};
}

/// Absent and empty are the default.
std::string text_or(const cni::Object& config, std::string_view key, std::string_view fallback) {
    const std::string text = config.text(key);
    return text.empty() ? std::string(fallback) : text;
}

std::string read_admin_chain(const cni::Object& config) {
    constexpr std::string_view key = "iptablesAdminChainName";
    constexpr std::size_t longest = 28; // iptables cannot name more
    constexpr std::array<std::string_view, 4> taken{"CNI-FORWARD", "FORWARD", "INPUT", "OUTPUT"};
    std::string name = text_or(config, key, default_admin_chain);
    if (name.size() > longest || !is_printable(name) || name.starts_with('-') || name.starts_with('!'))
        config.refuse(key, "must be a chain name that iptables take: at most 28 printable characters without blanks, "
                           "the first neither - nor !");
    if (std::ranges::find(taken, name) != taken.end())
        config.refuse(key, "must be a chain of the administrator's own");
    return name;
}

std::string read_zone(const cni::Object& config) {
    std::string zone = text_or(config, "firewalldZone", default_zone);
    if (!is_printable(zone))
        config.refuse("firewalldZone", "must be the name of a zone of firewalld, without blanks");
    return zone;
}

Firewalld read_backend(std::string_view backend) {
    if (backend == "firewalld")
        return Firewalld::always;
    return backend == "nftables" || backend == "iptables" ? Firewalld::never : Firewalld::if_running;
}

void comment_on(const cni::Invocation& call, std::string_view backend) {
    if (call.command != "ADD") // once for a container
        return;
    if (backend == "iptables")
        os::warn("backend \"iptables\": done by nftables, no program is run; iptables' FORWARD chain is told where "
                 "there is one");
    else if (!backend.empty() && backend != "nftables" && backend != "firewalld")
        os::warn(os::cat("backend ", os::quote(backend),
                         " is none of nftables, iptables and firewalld: taken as none, which is firewalld where it "
                         "runs, and nftables"));
}

Config read_keys(const cni::Invocation& call) {
    (void)cni::read_net_conf(call.config);
    const std::string backend = call.config.text("backend");
    Config config{.firewalld = read_backend(backend),
                  .zone = read_zone(call.config),
                  .admin_chain = read_admin_chain(call.config),
                  .policy = call.config.text("ingressPolicy"),
                  .prev_result = std::nullopt};
    comment_on(call, backend);
    return config;
}

} // namespace

Config parse(const cni::Invocation& call) {
    Config config = cni::prefixed("failed to load netconf: ", [&] { return read_keys(call); });
    config.prev_result = cni::prefixed("could not parse prevResult: ", [&] { return call.prev_result(); });
    call.config.warn_unknown();
    return config;
}

Config parse_leniently(const cni::Invocation& call) {
    Config config{.zone = std::string(default_zone), .admin_chain = std::string(default_admin_chain)};
    try {
        config = read_keys(call);
    } catch (const cni::Error&) { // the rules are found by their owner
    }
    config.prev_result = call.prev_result_leniently();
    return config;
}

IngressPolicy ingress_of(const Config& config) {
    IngressPolicy ingress;
    if (config.policy.empty() || config.policy == "open")
        return ingress;
    if (config.policy == "same-bridge")
        ingress.policy = nft::Ingress::same_bridge;
    else if (config.policy == "isolated")
        ingress.policy = nft::Ingress::isolated;
    else
        throw cni::Error(os::cat("unknown ingress policy: ", os::quote(config.policy)));
    const auto& interfaces = config.prev_result.value().interfaces;
    if (interfaces.empty())
        throw cni::Error(os::cat("interface needs to be set for ingress policy ", os::quote(config.policy),
                                 ", make sure to chain \"firewall\" plugin with \"bridge\""));
    ingress.bridge = interfaces.front().name;
    if (ingress.bridge.empty())
        throw cni::Error("got empty bridge name");
    if (ingress.bridge.size() > longest_ifname)
        throw cni::Error(os::cat("prevResult's first interface, the bridge, has a name that none can have: ",
                                 os::quote(ingress.bridge)));
    ingress.vlan_gateway = vlan_gateway_of(interfaces);
    if (ingress.policy == nft::Ingress::isolated)
        ingress.ports = ports_of(config.prev_result);
    return ingress;
}

std::vector<std::string> ports_of(const std::optional<cni::Result>& result) {
    if (!result || result->interfaces.empty())
        return {};
    const auto ports_in = [&](std::span<const cni::Interface> interfaces) {
        std::vector<std::string> ports;
        for (const cni::Interface& interface : interfaces) {
            const bool is_name = !interface.name.empty() && interface.name.size() <= longest_ifname;
            const std::string& bridge = result->interfaces.front().name;
            if (interface.sandbox.empty() && is_name && interface.name != bridge && !is_vlan_of(interface.name, bridge))
                ports.push_back(interface.name);
        }
        std::ranges::sort(ports);
        ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
        return ports;
    };
    // Behind the container's interfaces are those of plugins like bandwidth, whose ifb is no port.
    std::span<const cni::Interface> interfaces = result->interfaces;
    while (!interfaces.empty() && interfaces.back().sandbox.empty())
        interfaces = interfaces.first(interfaces.size() - 1);
    const auto ports = ports_in(interfaces);
    return ports.empty() ? ports_in(result->interfaces) : ports;
}

std::vector<inet::Address> addresses_of(const std::optional<cni::Result>& result) {
    std::vector<inet::Address> addresses;
    if (!result)
        return addresses;
    for (const cni::IpConfig& ip : result->ips)
        addresses.push_back(ip.address.address);
    std::ranges::sort(addresses); // the same one twice would be refused as taken, by ourselves
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
}

} // namespace firewall
