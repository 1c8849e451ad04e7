// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "cni/invocation.h"
#include "cni/result.h"
#include "os/process.h"
#include "os/undo.h"

namespace ipam {

class Pending;

/// The IPAM plugin that the config names, run as SPEC section 4 says: found in CNI_PATH, same environment,
/// same stdin bytes, stderr passed through after success. Errors of the delegate come through with their code.
class Delegate {
  public:
    /// `call` must outlive the delegate. An empty `type` (layer 2) makes every verb but ADD do nothing.
    Delegate(const cni::Invocation& call, std::string type);

    /// Starts the ADD and returns while it runs. "Release the lease" is on the undo list before the child
    /// starts: it may have written the lease when it dies. Call it only once the endpoint's kernel object
    /// has been created exclusively: that proves that a lease of this owner which is there already is left
    /// over from a killed ADD, and wait() then releases it and asks again.
    [[nodiscard]] Pending start_add(os::Undo& undo) const;
    void del() const;
    void check() const;
    void gc() const;
    void status() const;

  private:
    friend class Pending;
    [[nodiscard]] std::string find() const;
    [[nodiscard]] os::Child start(std::string_view command) const;
    void run(std::string_view command) const;
    [[nodiscard]] std::string finish(os::Child child, const os::Deadline& deadline) const;

    const cni::Invocation* call_;
    std::string type_;
};

/// A lease in the making.
class Pending {
  public:
    /// The IPAM result in its newest shape, with at least one address.
    [[nodiscard]] cni::Result wait();
    /// After wait(): whether a lease left over from a killed ADD was given back on the way.
    [[nodiscard]] bool reclaimed() const { return reclaimed_; }

  private:
    friend class Delegate;
    using Patience = std::shared_ptr<std::chrono::seconds>;
    Pending(const Delegate& delegate, os::Child child, Patience release)
        : delegate_(&delegate), child_(std::move(child)), release_(std::move(release)) {}
    [[nodiscard]] std::string answer(os::Child child, const os::Deadline& deadline) const;

    const Delegate* delegate_;
    os::Child child_;
    Patience release_; ///< how long the undo list may wait for the lease's release; 0: there is none to release
    bool reclaimed_ = false;
};

} // namespace ipam
