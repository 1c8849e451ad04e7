// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "inet/address.h"
#include "netlink/rtnl.h"

// The floor of pkg/netlink: one request, its answers, its error. libnl builds messages and reads attributes; sending,
// receiving and errors are our own, because libnl folds most errnos into "Unspecific failure", knows no extended
// acknowledgement, and receives everything twice.
namespace netlink {

/// What a request is about, for its error: `add_address 10.1.0.2/24 …`.
struct Subject {
    std::string_view operation;
    std::string_view object;
};

/// "link 7": one of which the index is all that is known.
[[nodiscard]] std::string name_of(Index link);

/// AF_INET, AF_INET6: every header has it in a byte.
[[nodiscard]] constexpr std::uint8_t family_number(inet::Family family) {
    return family == inet::Family::v4 ? AF_INET : AF_INET6;
}

/// One message in the making. Running out of memory is std::bad_alloc.
class Message {
  public:
    template <typename Header> Message(int type, int flags, const Header& header)
        : Message(type, flags, &header, sizeof header) {}

    void put(int attribute, const void* data, std::size_t size);
    void put_u8(int attribute, std::uint8_t value) { put(attribute, &value, sizeof value); }
    void put_u32(int attribute, std::uint32_t value) { put(attribute, &value, sizeof value); }
    void put_text(int attribute, const std::string& text) { put(attribute, text.c_str(), text.size() + 1); }
    void put_address(int attribute, const inet::Address& address);
    /// A header without attribute framing, as in VETH_INFO_PEER.
    template <typename Header> void append(const Header& header) { append(&header, sizeof header); }

    [[nodiscard]] nl_msg* get() const { return message_.get(); }

  private:
    friend class Nest;
    Message(int type, int flags, const void* header, std::size_t size);
    void append(const void* data, std::size_t size);
    struct Free {
        void operator()(nl_msg* message) const noexcept;
    };
    std::unique_ptr<nl_msg, Free> message_;
};

/// A nested attribute, open as long as this lives.
class Nest {
  public:
    Nest(Message& message, int attribute);
    ~Nest() { nla_nest_end(message_, start_); }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;

  private:
    nl_msg* message_;
    nlattr* start_;
};

[[nodiscard]] nl_sock* open_socket();

/// Sends and asks for no answer: the kernel's refusal stays unknown.
void tell(nl_sock* socket, Message& message, const Subject& subject);
/// Sends and waits for the acknowledgement; the kernel's refusal is an Error.
void request(nl_sock* socket, Message& message, const Subject& subject);
/// The same, an errno that is one of two expected ones gives false.
[[nodiscard]] bool request_unless(nl_sock* socket, Message& message, const Subject& subject, int expected,
                                  int also_expected = 0);

using OnReply = std::function<void(nlmsghdr*)>;
/// Sends and hands every answer to `on_reply`. A dump that the kernel interrupted is taken again, at most 5 times;
/// `restart` is called before each try.
void query(nl_sock* socket, Message& message, const Subject& subject, const OnReply& on_reply,
           const std::function<void()>& restart = {});

/// An attribute's value when it is there and large enough.
[[nodiscard]] std::uint16_t get_u16(const nlattr* attribute);
[[nodiscard]] std::uint32_t get_u32(const nlattr* attribute);
[[nodiscard]] std::string get_text(const nlattr* attribute);
[[nodiscard]] std::optional<inet::Address> get_address(const nlattr* attribute);

} // namespace netlink
