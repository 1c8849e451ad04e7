// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "cni/error.h"
#include "cni/invocation.h"
#include "cni/result.h"
#include "os/undo.h"

namespace cni {

/// A plugin is its name and five functions; a null one "succeeds silently" after the version gates.
struct Plugin {
    std::string_view name;
    Result (*add)(const Invocation&, os::Undo&) = nullptr;
    void (*del)(const Invocation&) = nullptr;
    void (*check)(const Invocation&) = nullptr;
    void (*gc)(const Invocation&) = nullptr;
    void (*status)(const Invocation&) = nullptr;
    std::span<const std::string_view> versions{}; ///< oldest first; none: supported_versions()
    /// For --version: the sources' licence and what else is linked in.
    std::string_view licences = "Apache-2.0; contains JSON for Modern C++ (MIT)";
};

/// The one main loop: environment and stdin in, exactly one JSON document out, exit status 0 or 1.
/// Order of work: reference order of the Go suite (environment, stdin, name, version gates), then the
/// host-namespace check *before* the plugin acts, then the plugin, then one write(2), then undo.commit().
/// Every failure, a signal and a crash included, ends in an error document with the undo list run where that
/// is still possible. `--version` and an empty CNI_COMMAND are answered here too.
[[nodiscard]] int run(const Plugin& plugin, int argc, char** argv) noexcept;

} // namespace cni
