// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "os/fd.h"

namespace netns {

/// A handle on a network namespace, proven to be one (nsfs) when it was opened.
class Netns {
  public:
    /// Throws cni-neutral os::Error whose what() is in the Go suite's words:
    /// `failed to Statfs "<path>": no such file or directory`, `unknown FS magic on "<path>": ef53`.
    [[nodiscard]] static Netns open(const std::string& path);
    /// Nothing when the path is missing, empty, or no namespace any more: for DEL.
    [[nodiscard]] static std::optional<Netns> find(const std::string& path);
    /// The calling thread's.
    [[nodiscard]] static Netns current();
    [[nodiscard]] bool same(const Netns& other) const;
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    explicit Netns(os::Fd fd) : fd_(std::move(fd)) {}
    os::Fd fd_;
};

/// A scope spent inside a namespace: for opening sockets (which stay there) and for sysctls.
/// Aborts when it cannot come home: going on in the wrong namespace would touch somebody else's network.
class Entered {
  public:
    explicit Entered(const Netns& netns);
    ~Entered();
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

  private:
    os::Fd home_;
};

} // namespace netns
