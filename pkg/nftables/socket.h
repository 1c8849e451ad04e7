// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/deadline.h"
#include "os/error.h"

struct mnl_socket;
struct nlmsghdr;

namespace nft {

/// A refused nf_tables request: kernel errno, and the operation in nft's words.
class Error : public os::Error {
  public:
    using os::Error::Error;
};

/// A table by family (NFPROTO_*) and name.
struct Table {
    std::uint8_t family;
    std::string_view name;
};

[[nodiscard]] std::string table_text(const Table& table); ///< "inet cnative"

/// One NETLINK_NETFILTER socket, opened when first used, in the network namespace of that moment.
/// Closing one waits 10-20 ms while the kernel has something to free that was deleted, by this process or any other; so
/// that is left to the kernel.
class Socket {
  public:
    Socket();
    Socket(Socket&&) noexcept;
    Socket& operator=(Socket&&) noexcept;
    ~Socket();

    /// The ruleset's generation number; any change by anybody makes it another.
    [[nodiscard]] std::uint32_t generation();

    // For the other files of this folder:

    using OnReply = std::function<void(const nlmsghdr*)>;
    /// Sends one request and hands over its answers: one, unless it is a dump or wants an acknowledgement; false when
    /// the kernel says ENOENT. A dump that was interrupted by a change is taken again after `restart`.
    bool query(nlmsghdr* request, std::string_view what, const OnReply& on_reply,
               const std::function<void()>& restart = {});
    /// One refused message of a batch.
    struct Refusal {
        int err = 0;
        std::uint32_t sequence = 0;
    };
    /// Sends a batch and waits for the acknowledgement of sequence number `last`. Empty when all of it was done.
    [[nodiscard]] std::vector<Refusal> send_batch(std::span<const char> batch, std::uint32_t first, std::uint32_t last);
    [[nodiscard]] std::uint32_t next_sequence() { return ++sequence_; }

  private:
    struct Closer {
        void operator()(mnl_socket* socket) const noexcept;
    };
    mnl_socket* open();
    /// After EINVAL: whether nf_tables said so, and not the kernel in its absence.
    bool reaches_nf_tables(const nlmsghdr* refused);
    void make_room(std::size_t batch);
    void send(const void* data, std::size_t size, std::string_view what);
    std::size_t receive(std::span<char> buffer, std::string_view what, const os::Deadline& deadline);
    std::unique_ptr<mnl_socket, Closer> socket_;
    std::uint32_t sequence_ = 0;
};

/// Whether an errno means that this kernel has no nf_tables at all, so there is nothing of ours in it either.
[[nodiscard]] bool is_unsupported(int err);

/// For what takes away: a kernel without nf_tables holds nothing of ours, so there it is done already.
template <typename Action> void where_supported(Action&& action) {
    try {
        std::forward<Action>(action)();
    } catch (const Error& error) {
        if (!is_unsupported(error.err()))
            throw;
    }
}

/// Empty, or which CONFIG option the kernel needs for masquerade and port mappings (STATUS).
[[nodiscard]] std::string missing_support();

} // namespace nft
