// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "config.h"
#include "dbus/bus.h"
#include "inet/address.h"

namespace firewall {

/// A zone of the firewalld that runs on this host: addresses in it are treated as the zone says.
class Zone {
  public:
    /// Nothing when firewalld is not to be told, or does not run and need not. Throws cni::Error when it must and does
    /// not. Where there is no message bus, this costs one connect() that fails.
    [[nodiscard]] static std::optional<Zone> open(const Config& config);

    void add(const inet::Address& address); ///< fine when the zone has it already
    void remove(const inet::Address& address);
    [[nodiscard]] bool has(const inet::Address& address);
    void require(); ///< throws when an ADD could not go on: firewalld does not answer, or has no such zone

  private:
    Zone(dbus::Bus bus, std::string name) : bus_(std::move(bus)), name_(std::move(name)) {}
    dbus::Reply call(const char* method, const inet::Address& address);

    dbus::Bus bus_;
    std::string name_;
};

} // namespace firewall
