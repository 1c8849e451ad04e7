// SPDX-License-Identifier: Apache-2.0
#include "cni/environment.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>

#include <poll.h>
#include <unistd.h>

#include "cni/error.h"
#include "cni/json_read.h"
#include "os/deadline.h"
#include "os/error.h"
#include "os/signals.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::size_t longest_ifname = 15;
constexpr std::chrono::milliseconds signal_poll{100};
/// Runtimes have the whole config before they start us.
constexpr std::chrono::seconds input_patience{30};

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Go's unicode.IsSpace beyond ASCII, in UTF-8.
constexpr std::array<std::string_view, 19> wide_spaces{
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
    "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

void check_container_id(std::string_view id) {
    if (!is_identifier(id))
        throw Error(Code::invalid_environment, "invalid characters in containerID", std::string(id));
}

struct Variable {
    const char* name;
    std::string Environment::*field;
    bool always; ///< required by GC and STATUS too
    bool optional_for_del;
    void (*check)(std::string_view);
};

constexpr std::array<Variable, 4> variables{{
    {"CNI_CONTAINERID", &Environment::container_id, false, false, check_container_id},
    {"CNI_NETNS", &Environment::netns, false, true, nullptr},
    {"CNI_IFNAME", &Environment::ifname, false, false, check_ifname},
    {"CNI_PATH", &Environment::path, true, false, nullptr},
}};

std::string get(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

} // namespace

bool is_identifier(std::string_view text) {
    const auto allowed = [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; };
    return !text.empty() && is_alphanumeric(text[0]) && std::ranges::all_of(text, allowed);
}

void check_ifname(std::string_view name) {
    constexpr std::string_view separators = "/: \t\n\v\f\r";
    const auto fail = [](const char* why, const char* details = "") {
        throw Error(Code::invalid_environment, why, details);
    };
    if (name.size() > longest_ifname)
        fail("interface name is too long", "interface name should be less than 16 characters");
    if (name == "." || name == "..")
        fail("interface name is . or ..");
    if (name.find_first_of(separators) != std::string_view::npos ||
        std::ranges::any_of(wide_spaces, [&](std::string_view space) { return name.find(space) != name.npos; }))
        fail("interface name contains / or : or whitespace characters");
    // The kernel takes "%" for a template that it fills in itself; control bytes would spoil every listing.
    if (std::ranges::any_of(name,
                            [](char c) { return c == '%' || static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; }))
        fail("interface name contains % or a control byte");
}

Environment Environment::read() {
    Environment environment;
    environment.command = get("CNI_COMMAND");
    const std::string override = os::lower(get("CNI_NETNS_OVERRIDE"));
    environment.netns_override = override == "1" || override == "true";

    const std::string& command = environment.command;
    const bool attachment = command == "ADD" || command == "DEL" || command == "CHECK";
    const bool network = command == "GC" || command == "STATUS";
    if (attachment)
        environment.args = get("CNI_ARGS");
    std::string missing;
    for (const Variable& variable : variables) {
        if (!attachment && !(network && variable.always))
            continue;
        const std::string& value = environment.*variable.field = get(variable.name);
        if (value.empty() && !(command == "DEL" && variable.optional_for_del)) {
            missing += os::cat(missing.empty() ? "" : ",", variable.name);
        } else if (!value.empty() && variable.check != nullptr) {
            variable.check(value);
        }
    }
    if (!missing.empty())
        throw Error(Code::invalid_environment, os::cat("required env variables [", missing, "] missing"));
    return environment;
}

std::string read_stdin() {
    std::string input;
    std::array<char, 16384> buffer{};
    const os::Deadline deadline = os::Deadline::in(input_patience);
    while (input.size() <= json::most_bytes) {
        // The signals that end us are blocked by now: a runtime that never closes stdin must not hold us for ever.
        pollfd stdin_ready{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        const int ready = poll(&stdin_ready, 1, static_cast<int>(signal_poll.count()));
        const bool idle = ready == 0 || (ready < 0 && errno == EINTR);
        os::poll_signals();
        if (deadline.passed())
            throw Error(Code::io_failure, os::cat("error reading from stdin: no end of file within ",
                                                  input_patience.count(), " s: the caller has to close it"));
        if (idle)
            continue;
        const ssize_t count =
            ::read(STDIN_FILENO, buffer.data(), std::min(buffer.size(), json::most_bytes + 1 - input.size()));
        if (count == 0)
            break;
        if (count > 0) {
            input.append(buffer.data(), static_cast<std::size_t>(count));
        } else if (errno != EINTR && errno != EAGAIN) {
            throw Error(Code::io_failure, os::cat("error reading from stdin: ", os::errno_text(errno)));
        }
    }
    return input;
}

} // namespace cni
