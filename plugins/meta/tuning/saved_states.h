// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cni/invocation.h"
#include "link_state.h"
#include "os/fd.h"

namespace tuning {

/// What links were like before ADD, in the data folder: `<containerID>_<ifname>.json`, shared with the Go suite. The
/// file does not tell the network, so that GC could not know whose it is; an empty file of the same name in
/// `.cnative/<network>` does.
class SavedStates {
  public:
    /// The folder is made when it is missing.
    [[nodiscard]] static SavedStates make(const std::string& data_dir);
    /// Nothing when there is none.
    [[nodiscard]] static std::optional<SavedStates> find(const std::string& data_dir);

    /// Puts it in the place of what was saved before.
    void save(const cni::Invocation& call, const LinkState& state);
    /// Nothing when there is none, or one that cannot be read (a warning says so).
    [[nodiscard]] std::optional<LinkState> load(const cni::Invocation& call) const;
    /// Absent is fine.
    void forget(const cni::Invocation& call);
    /// Removes the network's files of attachments other than these.
    void forget_others(const std::string& network, std::span<const cni::Attachment> valid);

  private:
    explicit SavedStates(os::Fd dir) : dir_(std::move(dir)) {}
    void remove(const std::string& network, const std::string& name);
    [[nodiscard]] bool is_claimed_by_another(const std::string& network, const std::string& name) const;
    os::Fd dir_;
};

} // namespace tuning
