// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>

#include "cni/args.h"
#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace bridge {

namespace {

constexpr std::size_t longest_ifname = 15;

void check_bridge_name(const std::string& name) {
    if (name.empty())
        throw cni::Error(R"(failed to create bridge "": could not add "": LinkAttrs.Name cannot be empty)");
    const std::string failed =
        os::cat("failed to create bridge ", os::quote(name), ": could not add ", os::quote(name));
    if (name.size() > longest_ifname)
        throw cni::Error(os::cat(failed, ": numerical result out of range"));
    const auto unfit = [](unsigned char c) { return c == '/' || c == ':' || c == '%' || c <= ' ' || c == 0x7f; };
    if (name == "." || name == ".." || std::ranges::any_of(name, unfit))
        throw cni::Error(os::cat(failed, ": invalid argument"));
}

// Found out before anything is made; the Go suite has the kernel refuse it after the IPAM plugin's work.
void check_vlan_gateway_name(const Config& config) {
    if (!config.is_gateway || config.vlans.vlan == 0 || !config.layer3())
        return;
    if (const std::string name = vlan_gateway_name(config); name.size() > longest_ifname)
        throw cni::Error(os::cat("failed to create vlan interface: ", os::quote(name), ": its name has ", name.size(),
                                 " bytes, ", longest_ifname, " at most; choose a shorter name for the key \"bridge\""));
}

// runtimeConfig.mac, else args.cni.mac; an empty one is none.
std::string mac_text(const cni::Object& keys) {
    std::string of_runtime, of_args;
    if (const auto runtime = keys.object("runtimeConfig"))
        of_runtime = runtime->text("mac");
    if (const auto args = cni::args_in(keys))
        of_args = args->text("mac");
    return of_runtime.empty() ? of_args : of_runtime;
}

Config read(const cni::Object& keys) {
    Config config;
    config.net = cni::read_net_conf(keys);
    config.bridge = keys.text("bridge", "cni0");
    config.is_default_gateway = keys.flag("isDefaultGateway");
    config.is_gateway = keys.flag("isGateway") || config.is_default_gateway;
    config.force_address = keys.flag("forceAddress");
    config.ip_masq = keys.flag("ipMasq") && config.layer3();
    // Values of 0 and less mean the kernel's default in the Go suite; IFLA_MTU holds 32 bits.
    config.mtu = static_cast<unsigned>(std::max<std::int64_t>(0, keys.number("mtu", 0, INT32_MIN, INT32_MAX)));
    config.hairpin = keys.flag("hairpinMode");
    config.promisc = keys.flag("promiscMode");
    config.mac_spoof_check = keys.flag("macspoofchk");
    config.enable_dad = keys.flag("enabledad");
    config.disable_container_interface = keys.flag("disableContainerInterface");
    config.port_isolation = keys.flag("portIsolation");
    if (keys.find_text("ipMasqBackend") == "iptables")
        os::warn("ipMasqBackend \"iptables\" is done with nftables; iptables is never run");
    return config;
}

} // namespace

Config parse_keys(const cni::Invocation& call) {
    std::string mac;
    VlanKeys vlan_keys;
    Config config = cni::prefixed("failed to load netconf: ", [&] {
        mac = mac_text(call.config);
        vlan_keys = read_vlan_keys(call.config);
        return read(call.config);
    });
    config.vlans = check_vlan_keys(vlan_keys);
    const std::string weakest_mac = cni::parse_args(call.args, {"MAC"})["MAC"];
    if (mac.empty())
        mac = weakest_mac;
    if (!mac.empty()) {
        config.mac = inet::Mac::parse(mac);
        if (!config.mac)
            throw cni::Error(os::cat("failed to make veth pair: address ", mac, ": invalid MAC address"));
    }
    return config;
}

Config parse(const cni::Invocation& call) {
    Config config = parse_keys(call);
    if (config.hairpin && config.promisc)
        throw cni::Error("cannot set hairpin mode and promiscuous mode at the same time");
    if (config.layer3() && config.disable_container_interface)
        throw cni::Error("cannot use IPAM when DisableContainerInterface flag is set");
    check_bridge_name(config.bridge);
    check_vlan_gateway_name(config);
    call.config.warn_unknown();
    return config;
}

std::string ipam_type_leniently(const cni::Invocation& call) {
    try {
        const auto ipam = call.config.object("ipam");
        return ipam ? ipam->text("type") : std::string();
    } catch (const cni::Error&) {
        return {};
    }
}

bool ip_masq_leniently(const cni::Invocation& call) {
    try {
        return call.config.flag("ipMasq");
    } catch (const cni::Error&) {
        return true;
    }
}

std::string vlan_gateway_name(const Config& config) {
    return os::cat(config.bridge, '.', config.vlans.vlan);
}

} // namespace bridge
