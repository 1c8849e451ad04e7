// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cni/invocation.h"
#include "cni/result.h"
#include "os/process.h"
#include "os/undo.h"

namespace ipam {

/// A delegate's answer that is still being made.
class Pending {
  public:
    explicit Pending(os::Child child, std::string version);
    /// The result in its newest shape. A failed delegate's own error comes through, code kept; the Go suite's
    /// words for one that died without a word.
    [[nodiscard]] cni::Result wait();

  private:
    os::Child child_;
    std::string version_;
};

/// The IPAM plugin that the config names, run as SPEC section 4 says: found in CNI_PATH, same environment,
/// same stdin bytes, stderr passed through after success.
class Delegate {
  public:
    /// `type` may be empty: del() and the others then do nothing, start_add() must not be called.
    Delegate(const cni::Invocation& call, std::string type);

    /// Pushes "release the lease" before the child starts: it may have written the lease when it dies.
    [[nodiscard]] Pending start_add(os::Undo& undo) const;
    void del() const;
    void check() const;
    void gc() const;
    void status() const;

  private:
    [[nodiscard]] std::string find() const;
    [[nodiscard]] os::Child start(std::string_view command) const;
    void run(std::string_view command) const;
    const cni::Invocation* call_;
    std::string type_;
};

} // namespace ipam
