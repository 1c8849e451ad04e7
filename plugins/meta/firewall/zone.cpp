// SPDX-License-Identifier: Apache-2.0
#include "zone.h"

#include <chrono>

#include "cni/error.h"
#include "os/log.h"
#include "os/text.h"

namespace firewall {

namespace {

constexpr const char* service = "org.fedoraproject.FirewallD1";
constexpr std::chrono::seconds bus_patience{5}, firewalld_patience{20}; // it may be reloading

/// As firewalld knows it: a network of one address.
std::string source_of(const inet::Address& address) {
    return os::cat(address.text(), "/", inet::bits(address.family()));
}

std::string text_of(const dbus::Reply& reply) {
    return reply.text.value_or(reply.error);
}

std::optional<dbus::Bus> connect() {
    const auto address = dbus::system_bus_address();
    return address ? dbus::Bus::connect(*address, os::Deadline::in(bus_patience)) : std::nullopt;
}

bool runs(dbus::Bus& bus) {
    const dbus::Reply owner = bus.call({.destination = "org.freedesktop.DBus",
                                        .path = "/org/freedesktop/DBus",
                                        .interface = "org.freedesktop.DBus",
                                        .member = "GetNameOwner",
                                        .arguments = {service}},
                                       os::Deadline::in(bus_patience));
    return owner.error.empty();
}

// Nobody asked for firewalld by name: a bus that is not well must not stop a container.
std::optional<dbus::Bus> find_running() {
    try {
        auto bus = connect();
        return bus && runs(*bus) ? std::move(bus) : std::nullopt;
    } catch (const dbus::Error& error) {
        os::warn(os::cat("whether firewalld runs is not known, it is taken for absent: ", error.what()));
        return std::nullopt;
    }
}

} // namespace

std::optional<Zone> Zone::open(const Config& config) {
    if (config.firewalld == Firewalld::never)
        return std::nullopt;
    if (config.firewalld == Firewalld::always) {
        auto bus = connect();
        if (!bus)
            throw cni::Error("firewalld cannot be reached: there is no system message bus; start it, or set backend to "
                             "nftables");
        return Zone(std::move(*bus), config.zone);
    }
    auto bus = find_running();
    return bus ? std::optional(Zone(std::move(*bus), config.zone)) : std::nullopt;
}

dbus::Reply Zone::call(const char* method, const inet::Address& address) {
    return bus_.call({.destination = service,
                      .path = "/org/fedoraproject/FirewallD1",
                      .interface = os::cat(service, ".zone"),
                      .member = method,
                      .arguments = {name_, source_of(address)}},
                     os::Deadline::in(firewalld_patience));
}

void Zone::add(const inet::Address& address) {
    const dbus::Reply reply = call("addSource", address);
    if (!reply.error.empty() && text_of(reply).find("ZONE_ALREADY_SET") == std::string::npos)
        throw cni::Error(
            os::cat("failed to add the address ", source_of(address), " to ", name_, " zone: ", text_of(reply)));
}

// An answer that it is not there, or in another zone by now, is as good.
void Zone::remove(const inet::Address& address) {
    (void)call("removeSource", address);
}

bool Zone::has(const inet::Address& address) {
    const dbus::Reply reply = call("querySource", address);
    if (!reply.error.empty()) { // the Go suite's words say no more
        os::warn(os::cat("firewalld cannot be asked about zone ", name_, ": ", text_of(reply)));
        throw cni::Error(os::cat("failed to find the address ", source_of(address), " in ", name_, " zone"));
    }
    return reply.flag.value_or(false);
}

void Zone::require() {
    const dbus::Reply reply = call("querySource", inet::Address());
    if (!reply.error.empty())
        throw cni::Error(os::cat("firewalld cannot be asked about zone ", name_, ": ", text_of(reply),
                                 "; start it, name another zone, or set backend to nftables"));
}

} // namespace firewall
