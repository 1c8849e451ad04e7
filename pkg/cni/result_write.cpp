// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cni/error.h"
#include "cni/json_write.h"
#include "cni/result.h"
#include "cni/version.h"
#include "os/text.h"

namespace cni {

namespace {

using json::Members;

constexpr Version lists_since{0, 3, 0}, sorted_since{1, 0, 0};

/// Writes objects as one version of the protocol has them: the Go suite sorts keys from 1.0.0 on.
class Writer {
  public:
    explicit Writer(std::string_view version) : label_(version), version_(Version::parse(version)) {}
    [[nodiscard]] std::string by_family(const Result& result) const;
    [[nodiscard]] std::string lists(const Result& result) const;
    [[nodiscard]] bool has_lists() const { return version_ >= lists_since; }

  private:
    [[nodiscard]] bool sorted() const { return version_ >= sorted_since; }
    [[nodiscard]] std::string finish(Members members, unsigned depth) const {
        if (sorted())
            std::ranges::sort(members, {}, &Members::value_type::first);
        return json::object(members, depth);
    }
    [[nodiscard]] std::string dns(const Dns& dns) const;
    [[nodiscard]] std::string interface(const Interface& interface) const;
    [[nodiscard]] std::string ip(const IpConfig& ip) const;
    [[nodiscard]] std::string route(const Route& route, unsigned depth) const;
    void put_dns(Members& members, const Dns& dns) const;

    std::string_view label_;
    Version version_;
};

void put_text(Members& members, std::string_view key, std::string_view text) {
    if (!text.empty())
        members.emplace_back(key, json::literal(text));
}

void put_number(Members& members, std::string_view key, std::int64_t number) {
    if (number != 0)
        members.emplace_back(key, os::cat(number));
}

void put_optional(Members& members, std::string_view key, const std::optional<std::int64_t>& number) {
    if (number)
        members.emplace_back(key, os::cat(*number));
}

void put_address(Members& members, std::string_view key, const std::optional<inet::Address>& address) {
    if (address)
        members.emplace_back(key, json::literal(address->text()));
}

void put_list(Members& members, std::string_view key, const std::vector<std::string>& items, unsigned depth) {
    if (!items.empty())
        members.emplace_back(key, json::list(items, depth));
}

void put_texts(Members& members, std::string_view key, const std::vector<std::string>& texts, unsigned depth) {
    std::vector<std::string> items;
    for (const std::string& text : texts)
        items.push_back(json::literal(text));
    put_list(members, key, items, depth);
}

std::string Writer::dns(const Dns& dns) const {
    Members members;
    put_texts(members, "nameservers", dns.nameservers, 2);
    put_text(members, "domain", dns.domain);
    put_texts(members, "search", dns.search, 2);
    put_texts(members, "options", dns.options, 2);
    return finish(std::move(members), 1);
}

void Writer::put_dns(Members& members, const Dns& given) const {
    if (!sorted() || !given.empty())
        members.emplace_back("dns", dns(given));
}

std::string Writer::interface(const Interface& interface) const {
    if (interface.null)
        return "null";
    Members members{{"name", json::literal(interface.name)}};
    put_text(members, "mac", interface.mac);
    put_text(members, "sandbox", interface.sandbox);
    if (sorted()) {
        put_number(members, "mtu", interface.mtu);
        put_text(members, "socketPath", interface.socket_path);
        put_text(members, "pciID", interface.pci_id);
    }
    return finish(std::move(members), 2);
}

std::string Writer::ip(const IpConfig& ip) const {
    Members members;
    if (!sorted())
        members.emplace_back("version", ip.address.address.family() == inet::Family::v4 ? R"("4")" : R"("6")");
    put_optional(members, "interface", ip.interface);
    members.emplace_back("address", json::literal(ip.address.text()));
    put_address(members, "gateway", ip.gateway);
    return finish(std::move(members), 2);
}

std::string Writer::route(const Route& route, unsigned depth) const {
    if (route.null)
        return "null";
    Members members{{"dst", json::literal(route.dst ? route.dst->text() : "<nil>")}};
    put_address(members, "gw", route.gw);
    if (has_lists()) {
        put_number(members, "mtu", route.mtu);
        put_number(members, "advmss", route.advmss);
        put_number(members, "priority", route.priority);
        put_optional(members, "table", route.table);
        put_optional(members, "scope", route.scope);
    }
    return finish(std::move(members), depth);
}

std::string Writer::lists(const Result& result) const {
    std::vector<std::string> interfaces, ips, routes;
    for (const Interface& item : result.interfaces)
        interfaces.push_back(interface(item));
    for (const IpConfig& item : result.ips)
        ips.push_back(ip(item));
    for (const Route& item : result.routes)
        routes.push_back(route(item, 2));
    Members members{{"cniVersion", json::literal(label_)}};
    put_list(members, "interfaces", interfaces, 1);
    put_list(members, "ips", ips, 1);
    put_list(members, "routes", routes, 1);
    put_dns(members, result.dns);
    return finish(std::move(members), 0);
}

// One address a family; its routes go with it. A route without destination counts as IPv6, as in the Go suite.
std::string Writer::by_family(const Result& result) const {
    Members members{{"cniVersion", json::literal(label_)}};
    for (const auto family : {inet::Family::v4, inet::Family::v6}) {
        const auto first =
            std::ranges::find(result.ips, family, [](const IpConfig& ip) { return ip.address.address.family(); });
        if (first == result.ips.end())
            continue;
        std::vector<std::string> routes;
        for (const Route& item : result.routes) {
            if ((item.dst ? item.dst->address.family() : inet::Family::v6) == family)
                routes.push_back(route(item, 3));
        }
        Members ip{{"ip", json::literal(first->address.text())}};
        put_address(ip, "gateway", first->gateway);
        put_list(ip, "routes", routes, 2);
        members.emplace_back(family == inet::Family::v4 ? "ip4" : "ip6", json::object(ip, 1));
    }
    // What has no interfaces either was read from such a result, and is handed on.
    if (members.size() == 1 && !result.interfaces.empty())
        throw Error("cannot convert: no valid IP addresses");
    put_dns(members, result.dns);
    return json::object(members, 0);
}

} // namespace

std::string Result::write(std::string_view version) const {
    const Writer writer(version);
    return writer.has_lists() ? writer.lists(*this) : writer.by_family(*this);
}

} // namespace cni
