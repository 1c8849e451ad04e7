// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>
#include <cstdint>

#include "cni/args.h"
#include "cni/error.h"
#include "os/text.h"

namespace tuning {

namespace {

constexpr const char* default_data_dir = "/run/cni/tuning";

// Two values for one key: which of them counts would be chance.
void refuse_duplicate_sysctls(const cni::Object& config) {
    const auto sysctls = config.object("sysctl");
    if (!sysctls)
        return;
    std::vector<std::string> keys = sysctls->keys();
    std::ranges::sort(keys);
    if (std::ranges::adjacent_find(keys) != keys.end())
        throw cni::Error("duplicated sysctl keys are not allowed");
}

void read_sysctls(const cni::Object& object, std::vector<Sysctl>& sysctls) {
    for (const auto& [key, value] : object.named_texts("sysctl")) {
        const auto known = std::ranges::find(sysctls, key, &Sysctl::key);
        if (known == sysctls.end())
            sysctls.push_back({key, value});
        else
            known->value = value;
    }
}

/// The keys that `args.cni` may override, where they are given.
void read_keys(const cni::Object& object, Config& config) {
    read_sysctls(object, config.sysctls);
    config.mac_text = object.text("mac", config.mac_text);
    if (object.has("promisc"))
        config.link.promisc = object.flag("promisc") ? std::optional(true) : std::nullopt;
    config.link.mtu = static_cast<unsigned>(object.number("mtu", config.link.mtu, 0, INT32_MAX));
    if (object.has("allmulti"))
        config.link.allmulti = object.flag("allmulti");
    if (const auto length = object.find_number("txQLen", 0, UINT32_MAX))
        config.link.tx_queue_length = static_cast<unsigned>(*length);
}

Config read(const cni::Invocation& call) {
    const cni::Object& keys = call.config;
    (void)cni::read_net_conf(keys); // the keys that all plugins share must be well-typed
    Config config;
    read_keys(keys, config);
    config.data_dir = data_dir_leniently(call);
    (void)keys.text("dataDir");
    return config;
}

void override_keys(const cni::Invocation& call, Config& config) {
    if (const auto runtime = call.config.object("runtimeConfig")) {
        if (std::string mac = runtime->text("mac"); !mac.empty())
            config.mac_text = std::move(mac);
    }
    if (const auto args = cni::args_in(call.config))
        read_keys(*args, config);
}

} // namespace

Config parse(const cni::Invocation& call) {
    refuse_duplicate_sysctls(call.config);
    constexpr std::string_view prefix = "failed to load netconf: ";
    Config config = cni::prefixed(prefix, [&] { return read(call); });
    if (std::string mac = cni::parse_args(call.args, {"MAC"})["MAC"]; !mac.empty())
        config.mac_text = std::move(mac);
    cni::prefixed(prefix, [&] { override_keys(call, config); });
    config.link.mac = inet::Mac::parse(config.mac_text);
    call.config.warn_unknown();
    return config;
}

void require_mac(const Config& config) {
    if (!config.mac_text.empty() && !config.link.mac)
        throw cni::Error(os::cat("invalid args ", config.mac_text, " for MAC addr: address ", config.mac_text,
                                 ": invalid MAC address"));
}

std::string data_dir_leniently(const cni::Invocation& call) {
    try {
        const std::string given = call.config.text("dataDir");
        return given.empty() ? default_data_dir : given;
    } catch (const cni::Error&) {
        return default_data_dir;
    }
}

} // namespace tuning
