// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <span>

#include "cni/error.h"
#include "cni/result.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::int64_t any_min = INT64_MIN, any_max = INT64_MAX;

/// Versions whose results look alike. The oldest results need not name theirs.
struct Shape {
    std::span<const std::string_view> versions;
    Result (*read)(const Object&);
};

std::optional<inet::Address> find_address(const Object& object, std::string_view key) {
    const std::string text = object.text(key);
    if (text.empty())
        return std::nullopt;
    const auto address = inet::Address::parse(text);
    if (!address)
        object.refuse(key, "must be an IP address");
    return address;
}

std::optional<inet::Prefix> find_prefix(const Object& object, std::string_view key) {
    const auto text = object.find_text(key);
    if (!text)
        return std::nullopt;
    const auto prefix = inet::Prefix::parse(*text);
    if (!prefix)
        object.refuse(key, "must be an IP address with a prefix length, such as 10.1.2.3/24");
    return prefix;
}

inet::Prefix require_prefix(const Object& object, std::string_view key) {
    const auto prefix = find_prefix(object, key);
    if (!prefix)
        object.refuse(key, "must be an IP address with a prefix length, such as 10.1.2.3/24");
    return *prefix;
}

std::vector<Route> read_routes(const Object& object) {
    std::vector<Route> routes;
    for (const Object& route : object.objects("routes"))
        routes.push_back(read_route(route));
    return routes;
}

Dns read_dns_of(const Object& result) {
    const auto dns = result.object("dns");
    return dns ? read_dns(*dns) : Dns();
}

// 0.1.0 and 0.2.0: one address a family, each with its routes.
Result read_by_family(const Object& document) {
    Result result;
    for (const std::string_view key : {"ip4", "ip6"}) {
        const auto ip = document.object(key);
        if (!ip)
            continue;
        result.ips.push_back(
            {.interface = {}, .address = require_prefix(*ip, "ip"), .gateway = find_address(*ip, "gateway")});
        std::ranges::move(read_routes(*ip), std::back_inserter(result.routes));
    }
    result.dns = read_dns_of(document);
    return result;
}

Interface read_interface(const Object& object) {
    return {.name = object.text("name"),
            .mac = object.text("mac"),
            .mtu = static_cast<std::uint32_t>(object.number("mtu", 0, 0, UINT32_MAX)),
            .sandbox = object.text("sandbox"),
            .socket_path = object.text("socketPath"),
            .pci_id = object.text("pciID"),
            .null = object.is_null()};
}

// 1.0.0 and 1.1.0: lists.
Result read_lists(const Object& document) {
    Result result;
    for (const Object& interface : document.objects("interfaces"))
        result.interfaces.push_back(read_interface(interface));
    for (const Object& ip : document.objects("ips")) {
        ip.accept_all("version"); // a word of the older ones, which many plugins still say
        result.ips.push_back({.interface = ip.find_number("interface", any_min, any_max),
                              .address = require_prefix(ip, "address"),
                              .gateway = find_address(ip, "gateway")});
    }
    result.routes = read_routes(document);
    result.dns = read_dns_of(document);
    return result;
}

// 0.3.0 to 0.4.0: the same with the version of each address, though the address itself tells it. What these may not
// have does no harm.
Result read_lists_with_versions(const Object& document) {
    for (const Object& ip : document.objects("ips"))
        (void)ip.text("version");
    return read_lists(document);
}

constexpr std::array<std::string_view, 3> by_family{"", "0.1.0", "0.2.0"};
constexpr std::array<std::string_view, 3> with_versioned_ips{"0.3.0", "0.3.1", "0.4.0"};
constexpr std::array<std::string_view, 2> current{"1.0.0", "1.1.0"};

Shape shape_of(std::string_view version) {
    for (const Shape& shape : {Shape{by_family, read_by_family}, Shape{with_versioned_ips, read_lists_with_versions},
                               Shape{current, read_lists}}) {
        if (std::ranges::find(shape.versions, version) != shape.versions.end())
            return shape;
    }
    throw Error(os::cat("unsupported CNI result version ", os::quote(version)));
}

std::string listed(std::span<const std::string_view> versions) {
    std::string out;
    for (const std::string_view& version : versions)
        out += os::cat(&version == &versions.front() ? "" : " ", version);
    return out;
}

} // namespace

bool Dns::empty() const {
    return nameservers.empty() && domain.empty() && search.empty() && options.empty();
}

std::vector<inet::Prefix> Result::addresses() const {
    std::vector<inet::Prefix> addresses;
    for (const IpConfig& ip : ips)
        addresses.push_back(ip.address);
    return addresses;
}

Route read_route(const Object& object) {
    Route route;
    if (object.text("dst") != "<nil>") // what is printed for a route without destination
        route.dst = find_prefix(object, "dst");
    route.gw = find_address(object, "gw");
    route.mtu = object.number("mtu", 0, any_min, any_max);
    route.advmss = object.number("advmss", 0, any_min, any_max);
    route.priority = object.number("priority", 0, any_min, any_max);
    route.table = object.find_number("table", any_min, any_max);
    route.scope = object.find_number("scope", any_min, any_max);
    route.null = object.is_null();
    return route;
}

Dns read_dns(const Object& object) {
    return {.nameservers = object.texts("nameservers"),
            .domain = object.text("domain"),
            .search = object.texts("search"),
            .options = object.texts("options")};
}

Result Result::read(const Object& document, std::string_view version) {
    const Shape shape = shape_of(version);
    std::string own = document.text("cniVersion");
    if (own.empty())
        own = version;
    if (std::ranges::find(shape.versions, own) == shape.versions.end())
        throw Error(os::cat("result type supports [", listed(shape.versions), "] but unmarshalled CNIVersion is ",
                            os::quote(own)));
    return shape.read(document);
}

} // namespace cni
