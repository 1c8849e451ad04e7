// SPDX-License-Identifier: Apache-2.0
#include "os/undo.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <string_view>
#include <utility>

#include "os/signals.h"
#include "os/text.h"

namespace os {
namespace {

constexpr int attempts = 3;

/// Why it failed; empty when it worked. A signal that arrives now must not keep us from cleaning up.
std::string try_undo(const std::function<void()>& undo) {
    for (int attempt = 1;; ++attempt) {
        try {
            undo();
            return {};
        } catch (const Interrupted& interrupted) {
            if (attempt == attempts)
                return interrupted.what();
        } catch (const std::exception& failure) {
            return failure.what();
        } catch (...) {
            return "unknown failure";
        }
    }
}

} // namespace

void Undo::push(std::string what, std::function<void()> undo) {
    try {
        if (entries_.size() == entries_.capacity())
            entries_.reserve(std::max<std::size_t>(8, entries_.capacity() * 2));
    } catch (...) {
        (void)try_undo(undo);
        throw;
    }
    entries_.push_back({std::move(what), std::move(undo)}); // has room, and moving does not throw
    poll_signals();
}

void Undo::on_commit(std::function<void()> action) {
    commit_.push_back(std::move(action));
}

void Undo::commit() noexcept {
    entries_.clear();
    for (const auto& action : commit_) {
        try {
            action();
        } catch (...) {
            // The endpoint is in use already; the mark only tells a later call that it is complete.
        }
    }
}

std::string Undo::unwind() noexcept {
    std::string report;
    commit_.clear();
    while (!entries_.empty()) {
        try {
            const std::string why = try_undo(entries_.back().undo);
            if (!why.empty())
                report += cat(report.empty() ? "" : "; ", entries_.back().what, ": ", why);
        } catch (...) {
            // No memory for the report: the other entries matter more.
        }
        entries_.pop_back();
    }
    return report;
}

} // namespace os
