// SPDX-License-Identifier: Apache-2.0
#include "saved_states.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "cni/error.h"
#include "os/error.h"
#include "os/file.h"
#include "os/log.h"
#include "os/text.h"

namespace tuning {

namespace {

constexpr const char* claims_folder = ".cnative";
constexpr std::size_t longest_file = 4096;
constexpr mode_t file_mode = 0600, folder_mode = 0700;

std::string file_name(std::string_view container_id, std::string_view ifname) {
    return os::cat(container_id, "_", ifname, ".json");
}

std::string file_name(const cni::Invocation& call) {
    return file_name(call.container_id, call.ifname);
}

/// The network's folder of claims, where it is there.
std::optional<os::Fd> find_claims(const os::Fd& dir, const std::string& network) {
    const auto claims = os::open_dir_at(dir, claims_folder);
    return claims ? os::open_dir_at(*claims, network) : std::nullopt;
}

/// What goes wrong with files keeps its code; in front of it comes what they are for.
template <typename Action> auto told_as(const std::string& prefix, Action&& action) {
    try {
        return std::forward<Action>(action)();
    } catch (const os::Error&) {
        const cni::Error error = cni::current_error();
        throw cni::Error(error.code(), os::cat(prefix, error.message()), error.details());
    }
}

} // namespace

SavedStates SavedStates::make(const std::string& data_dir) {
    return told_as("failed to create backup directory: ", [&] {
        os::Fd dir = os::make_dirs(data_dir, folder_mode);
        if (const std::string how = os::other_writers(dir); !how.empty())
            os::warn(
                os::cat("data dir ", data_dir, " ", how,
                        ": who writes there chooses what DEL restores; let it belong to root, and no other write"));
        return SavedStates(std::move(dir));
    });
}

std::optional<SavedStates> SavedStates::find(const std::string& data_dir) {
    try {
        return SavedStates(os::open_dir(data_dir));
    } catch (const os::Error& error) {
        if (error.err() == ENOENT || error.err() == ENOTDIR)
            return std::nullopt;
        throw;
    }
}

// The claim comes first: a file without one would never be collected.
void SavedStates::save(const cni::Invocation& call, const LinkState& state) {
    const std::string name = file_name(call), content = write(state);
    told_as(os::cat("failed to save file ", call.ifname, ".json: "), [&] {
        const os::Fd claims =
            os::make_dir_at(os::make_dir_at(dir_, claims_folder, folder_mode), call.network, folder_mode);
        (void)os::create_file_at(claims, name, {}, file_mode);
        if (!os::create_file_at(dir_, name, content, file_mode))
            os::replace_file_at(dir_, name, content, file_mode);
    });
}

// What cannot be read at the second try either, or is no state, is passed over: it must not hold up a DEL for ever. A
// shortage will pass.
std::optional<LinkState> SavedStates::load(const cni::Invocation& call) const {
    const std::string name = file_name(call);
    std::string why = "is no state of a link";
    for (int attempt = 1; attempt <= 2; ++attempt) {
        try {
            const auto content = os::read_file_at(dir_, name, longest_file);
            if (!content)
                return std::nullopt;
            if (const auto state = read(*content))
                return state;
            break;
        } catch (const os::Error& error) {
            if (error.is_shortage())
                throw;
            why = error.reason();
        }
    }
    os::warn(os::cat("saved state ", os::path_at(dir_, name), ": ", why, "; nothing is restored from it"));
    return std::nullopt;
}

void SavedStates::forget(const cni::Invocation& call) {
    remove(call.network, file_name(call));
}

void SavedStates::remove(const std::string& network, const std::string& name) {
    os::unlink_at(dir_, os::replacement_name(name));
    os::unlink_at(dir_, name);
    if (const auto claims = find_claims(dir_, network))
        os::unlink_at(*claims, name); // last: while it is there GC can do the rest
}

bool SavedStates::is_claimed_by_another(const std::string& network, const std::string& name) const {
    const auto claims = os::open_dir_at(dir_, claims_folder);
    if (!claims)
        return false;
    for (const std::string& other : os::list_dir(*claims)) {
        const auto folder = other == network ? std::nullopt : os::open_dir_at(*claims, other);
        if (folder && os::read_file_at(*folder, name, 0))
            return true;
    }
    return false;
}

void SavedStates::forget_others(const std::string& network, std::span<const cni::Attachment> valid) {
    const auto claims = find_claims(dir_, network);
    if (!claims)
        return;
    std::vector<std::string> kept;
    for (const cni::Attachment& attachment : valid)
        kept.push_back(file_name(attachment.container_id, attachment.ifname));
    std::ranges::sort(kept);
    cni::Errors errors;
    for (const std::string& name : os::list_dir(*claims)) {
        if (std::ranges::binary_search(kept, name))
            continue;
        errors.collect([&] {
            // The container may have moved to another network since, under the same interface name.
            if (is_claimed_by_another(network, name))
                os::unlink_at(*claims, name);
            else
                remove(network, name);
        });
    }
    errors.throw_if_any();
}

} // namespace tuning
