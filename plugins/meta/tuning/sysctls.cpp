// SPDX-License-Identifier: Apache-2.0
#include "sysctls.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "cni/error.h"
#include "netns/netns.h"
#include "os/error.h"
#include "os/sysctl.h"
#include "os/text.h"

namespace tuning {

namespace {

constexpr std::string_view placeholder = "IFNAME";

std::string with_ifname(std::string path, std::string_view ifname) {
    if (const auto at = path.find(placeholder); at != path.npos)
        path.replace(at, placeholder.size(), ifname);
    return path;
}

/// Without its leading "net"; nothing for a path that leads elsewhere.
std::optional<std::string> below_net(std::string_view path) {
    std::vector<std::string> parts;
    for (const std::string_view part : os::split(path, '/')) {
        if (part == "." || part == "..")
            return std::nullopt;
        if (!part.empty())
            parts.emplace_back(part);
    }
    if (parts.size() < 2 || parts.front() != "net")
        return std::nullopt;
    parts.erase(parts.begin());
    return os::join(parts, "/");
}

std::string read_as_go(std::string key, std::string_view ifname) {
    std::ranges::replace(key, '.', '/');
    return with_ifname(std::move(key), ifname);
}

std::string read_as_sysctl(std::string key, std::string_view ifname) {
    const auto separator = key.find_first_of("./");
    if (separator != key.npos && key[separator] == '.') {
        for (char& c : key)
            c = c == '.' ? '/' : c == '/' ? '.' : c;
    }
    return with_ifname(std::move(key), ifname);
}

Target target(const Sysctl& sysctl, std::string_view ifname) {
    const std::string go = read_as_go(sysctl.key, ifname);
    const auto path = below_net(go);
    if (!path)
        throw cni::Error(os::cat("invalid net sysctl key: ", os::quote(go)));
    Target target{.paths = {*path}, .value = sysctl.value};
    if (auto other = below_net(read_as_sysctl(sysctl.key, ifname)); other && other != path)
        target.paths.push_back(std::move(*other));
    return target;
}

/// Tries the readings in turn; when none of them exists, the first one's error counts.
template <typename Action> void with_path(const Target& sysctl, Action&& action) {
    for (std::size_t i = sysctl.paths.size(); i-- > 1;) {
        if (os::net_sysctl_exists(sysctl.paths[i]) && !os::net_sysctl_exists(sysctl.paths.front()))
            return action(sysctl.paths[i]);
    }
    action(sysctl.paths.front());
}

/// Some keys cannot be read: they are orders to the kernel, and there is nothing to restore.
std::optional<std::string> read_if_possible(const std::string& path) {
    try {
        return os::read_net_sysctl(path);
    } catch (const os::Error&) {
        return std::nullopt;
    }
}

void restore(const std::string& netns, const std::string& path, const std::string& value) {
    if (const auto sandbox = netns::Netns::find(netns)) {
        const netns::Entered inside(*sandbox);
        os::write_net_sysctl(path, value);
    }
}

} // namespace

std::vector<Target> targets(std::span<const Sysctl> sysctls, std::string_view ifname) {
    std::vector<Target> found;
    for (const Sysctl& sysctl : sysctls)
        found.push_back(target(sysctl, ifname));
    return found;
}

void set(std::span<const Target> sysctls, const std::string& netns, os::Undo& undo) {
    const netns::Netns sandbox = netns::Netns::open(netns);
    const netns::Entered inside(sandbox);
    for (const Target& sysctl : sysctls) {
        with_path(sysctl, [&](const std::string& path) {
            if (const auto before = read_if_possible(path))
                undo.push(os::cat("sysctl ", path), [=] { restore(netns, path, *before); });
            os::write_net_sysctl(path, sysctl.value);
        });
    }
}

void check(std::span<const Target> sysctls, const std::string& netns) {
    const netns::Netns sandbox = netns::Netns::open(netns);
    const netns::Entered inside(sandbox);
    for (const Target& sysctl : sysctls) {
        with_path(sysctl, [&](const std::string& path) {
            const auto value = os::read_net_sysctl(path);
            if (!value)
                throw os::Error(ENOENT, "open", os::net_sysctl_path(path));
            // The kernel puts tabs between numbers, whatever was written.
            if (os::words(*value) != os::words(sysctl.value))
                throw cni::Error(os::cat("Error: Tuning configured value of ", os::net_sysctl_path(path), " is ",
                                         sysctl.value, ", current value is ", *value));
        });
    }
}

} // namespace tuning
