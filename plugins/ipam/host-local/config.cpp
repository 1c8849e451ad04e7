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

/// "ip" or "ip/len", whose length must be one but counts for nothing.
std::optional<inet::Address> parse_requested(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::uint64_t longest = text.find(':') == text.npos ? 32 : 128;
    if (slash != text.npos && !os::parse_uint(text.substr(slash + 1), longest))
        return std::nullopt;
    return inet::Address::parse(text.substr(0, slash));
}

void add_requested(Config& config, const inet::Address& address) {
    if (std::find(config.requested.begin(), config.requested.end(), address) == config.requested.end())
        config.requested.push_back(address);
}

/// An entry that is "" is nothing yet: what the Go suite's decoder lets pass, its next step refuses.
using Requested = std::vector<std::optional<inet::Address>>;

void append_requested(Requested& requested, const cni::Object& object) {
    for (const std::string& text : object.texts("ips")) {
        requested.push_back(parse_requested(text));
        if (!requested.back() && !text.empty())
            refuse(object, "ips", os::cat("invalid IP address ", text));
    }
}

/// The addresses of the config's `args.cni` and of the runtime.
Requested read_requested(const cni::Invocation& call) {
    Requested requested;
    if (const auto args = cni::args_in(call.config))
        append_requested(requested, *args);
    if (const auto runtime = call.config.object("runtimeConfig"))
        append_requested(requested, *runtime);
    return requested;
}

/// The address in CNI_ARGS.
std::optional<inet::Address> read_requested_by_args(std::string_view text) {
    const auto args = cni::parse_args(text, {"IP"});
    const auto ip = args.find("IP");
    if (ip == args.end() || ip->second.empty())
        return std::nullopt;
    const auto address = parse_requested(ip->second);
    if (!address)
        throw cni::Error(os::cat("ARGS: error parsing value of pair ", os::quote("IP=" + ip->second),
                                 ": invalid IP address ", ip->second));
    return address;
}

/// They add up.
void add_requested(Config& config, const std::optional<inet::Address>& from_args, const Requested& others) {
    if (from_args)
        add_requested(config, *from_args);
    for (const auto& address : others) {
        if (!address)
            throw cni::Error("cannot understand ip: IP <nil> not v4 nor v6");
        add_requested(config, *address);
    }
}

/// In the Go suite's words, which name the value only.
cni::Route read_named_route(const cni::Object& object) {
    if (const std::string dst = object.text("dst"); object.has("dst") && dst != "<nil>" && !inet::Prefix::parse(dst))
        refuse(object, "dst", os::cat("invalid CIDR address: ", dst));
    (void)read_address(object, "gw");
    return cni::read_route(object);
}

std::string data_dir_of(const cni::Object& ipam) {
    const std::string dir = ipam.text("dataDir");
    return dir.empty() ? default_data_dir : dir;
}

} // namespace

Config read_config(const cni::Invocation& call) {
    const auto ipam = call.config.object("ipam");
    RangeSpecs specs;
    if (const auto runtime = call.config.object("runtimeConfig"))
        append_ranges(specs, *runtime, "ipRanges");
    const Requested requested = read_requested(call);
    if (!ipam)
        throw cni::Error("IPAM config missing 'ipam' key");
    if (const RangeSpec single = read_range(*ipam); single.subnet || !single.mapped_subnet.empty())
        specs.push_back({single});
    append_ranges(specs, *ipam, "ranges");

    Config config;
    config.data_dir = data_dir_of(*ipam);
    config.resolv_conf = ipam->text("resolvConf");
    for (const cni::Object& route : ipam->objects("routes"))
        config.routes.push_back(read_named_route(route));
    for (const std::string_view other : {"type", "name"})
        (void)ipam->text(other);
    ipam->warn_unknown();

    add_requested(config, read_requested_by_args(call.args), requested);
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
