// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "cni/args.h"
#include "cni/error.h"
#include "cni/object.h"
#include "os/log.h"
#include "os/text.h"

namespace host_local {
namespace {

constexpr const char* default_data_dir = "/var/lib/cni/networks";

/// The Go suite names the value only; where it stands goes to stderr.
[[noreturn]] void refuse(const cni::Object& object, std::string_view key, std::string message) {
    os::warn(os::cat("key ", os::quote(object.path(key)), ": ", message));
    throw cni::Error(std::move(message));
}

/// Absent and "" are the same, as in the Go suite.
std::optional<inet::Address> read_address(const cni::Object& object, std::string_view key) {
    const std::string text = object.text(key);
    const auto address = inet::Address::parse(text);
    if (!address && !text.empty())
        refuse(object, key, os::cat("invalid IP address: ", text));
    return address;
}

void read_subnet(const cni::Object& object, RangeSpec& spec) {
    const auto text = object.find_text("subnet");
    if (!text)
        return;
    const std::string_view address_text = std::string_view(*text).substr(0, text->find('/'));
    const auto address = inet::Address::parse(address_text);
    spec.subnet = inet::Prefix::parse(*text);
    if (address && address->family() == inet::Family::v4 && address_text.find(':') != address_text.npos)
        spec.mapped_subnet = *text;
    else if (!spec.subnet)
        refuse(object, "subnet", os::cat("invalid CIDR address: ", *text));
}

RangeSpec read_range(const cni::Object& object) {
    RangeSpec spec;
    read_subnet(object, spec);
    spec.start = read_address(object, "rangeStart");
    spec.end = read_address(object, "rangeEnd");
    spec.gateway = read_address(object, "gateway");
    return spec;
}

using RangeSpecs = std::vector<std::vector<RangeSpec>>;

void append_ranges(RangeSpecs& specs, const cni::Object& object, std::string_view key) {
    for (const std::vector<cni::Object>& list : object.object_lists(key)) {
        std::vector<RangeSpec>& set = specs.emplace_back();
        for (const cni::Object& range : list)
            set.push_back(read_range(range));
    }
}

/// "ip" or "ip/len", whose length counts for nothing.
std::optional<inet::Address> parse_requested(std::string_view text) {
    if (text.find('/') == text.npos)
        return inet::Address::parse(text);
    const auto prefix = inet::Prefix::parse(text);
    return prefix ? std::optional(prefix->address) : std::nullopt;
}

void add_requested(Config& config, const inet::Address& address) {
    if (std::find(config.requested.begin(), config.requested.end(), address) == config.requested.end())
        config.requested.push_back(address);
}

void add_requested(Config& config, const cni::Object& object) {
    for (const std::string& text : object.texts("ips")) {
        if (text.empty())
            refuse(object, "ips", "cannot understand ip: IP <nil> not v4 nor v6");
        const auto address = parse_requested(text);
        if (!address)
            refuse(object, "ips", os::cat("invalid IP address ", text));
        add_requested(config, *address);
    }
}

/// The address in CNI_ARGS, the config's `args.cni` and the runtime's: they add up.
void read_requested(Config& config, const cni::Invocation& call, const std::optional<cni::Object>& runtime) {
    const auto args = cni::parse_args(call.args, {"IP"});
    if (const auto ip = args.find("IP"); ip != args.end() && !ip->second.empty()) {
        const auto address = parse_requested(ip->second);
        if (!address)
            throw cni::Error(os::cat("ARGS: error parsing value of pair ", os::quote("IP=" + ip->second),
                                     ": invalid IP address ", ip->second));
        add_requested(config, *address);
    }
    const auto config_args = call.config.object("args");
    if (const auto cni_args = config_args ? config_args->object("cni") : std::nullopt)
        add_requested(config, *cni_args);
    if (runtime)
        add_requested(config, *runtime);
}

std::string data_dir_of(const cni::Object& ipam) {
    const std::string dir = ipam.text("dataDir");
    return dir.empty() ? default_data_dir : dir;
}

} // namespace

Config read_config(const cni::Invocation& call) {
    const auto ipam = call.config.object("ipam");
    const auto runtime = call.config.object("runtimeConfig");

    RangeSpecs specs;
    if (runtime)
        append_ranges(specs, *runtime, "ipRanges");
    if (!ipam)
        throw cni::Error("IPAM config missing 'ipam' key");
    if (const RangeSpec single = read_range(*ipam); single.subnet || !single.mapped_subnet.empty())
        specs.push_back({single});
    append_ranges(specs, *ipam, "ranges");

    Config config;
    config.data_dir = data_dir_of(*ipam);
    config.resolv_conf = ipam->text("resolvConf");
    for (const cni::Object& route : ipam->objects("routes"))
        config.routes.push_back(cni::read_route(route));
    for (const std::string_view other : {"type", "name"})
        ipam->accept(other);
    ipam->warn_unknown();

    read_requested(config, call, runtime);
    config.sets = complete_sets(specs, call.config.text("cniVersion"));
    return config;
}

std::string data_dir_leniently(const cni::Invocation& call) {
    try {
        if (const auto ipam = call.config.object("ipam"))
            return data_dir_of(*ipam);
    } catch (const cni::Error& error) {
        os::warn(os::cat("using ", default_data_dir, ": ", error.message()));
    }
    return default_data_dir;
}

} // namespace host_local
