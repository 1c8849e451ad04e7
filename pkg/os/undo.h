// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace os {

/// The undo list of one ADD. An entry captures names, never handles: sockets may be gone when it runs.
/// push() is also the poll point for signals: every step that made something is one.
class Undo {
  public:
    Undo() = default;
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;

    /// `what` names the thing ("veth vethab12cd34"). When the list cannot grow, `undo` runs at once.
    void push(std::string what, std::function<void()> undo);
    /// To run once the result has reached the runtime: the last mark of a two-phase commit. What it needs it has
    /// already: a call that it makes is one at which a kill meets an ADD that is not told as done.
    void on_commit(std::function<void()> action);
    /// Forgets the undo entries and runs the commit actions, whose failures are of no consequence. The actions are
    /// kept: letting go of them would be calls after the mark.
    void commit() noexcept;
    /// Last in, first out; never throws. Returns what could not be undone and why, empty when all was.
    [[nodiscard]] std::string unwind() noexcept;

  private:
    struct Entry {
        std::string what;
        std::function<void()> undo;
    };
    std::vector<Entry> entries_;
    std::vector<std::function<void()>> commit_;
};

} // namespace os
