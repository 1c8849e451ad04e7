// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dbus/address.h"
#include "dbus/message.h"
#include "os/deadline.h"
#include "os/error.h"
#include "os/fd.h"

namespace dbus {

/// The bus cannot be talked to: an errno, EPROTO for bytes that are no D-Bus.
class Error : public os::Error {
  public:
    using os::Error::Error;
};

/// One connection to a message bus, as the user we run as (EXTERNAL). One call at a time; signals are passed over.
class Bus {
  public:
    /// Nothing when there is none: no socket, or nobody listens. Throws Error, also when the deadline has passed.
    [[nodiscard]] static std::optional<Bus> connect(const Address& address, const os::Deadline& deadline);
    /// The answer, which may be an error of whom was called. Throws Error.
    [[nodiscard]] Reply call(const Call& call, const os::Deadline& deadline);

  private:
    explicit Bus(os::Fd socket) : socket_(std::move(socket)) {}
    void authenticate(const os::Deadline& deadline);
    void send(std::string_view bytes, const os::Deadline& deadline);
    void receive(std::span<std::uint8_t> into, const os::Deadline& deadline);
    void wait_for(short event, const os::Deadline& deadline);

    os::Fd socket_;
    std::uint32_t serial_ = 0;
};

} // namespace dbus
