// SPDX-License-Identifier: Apache-2.0
#include "os/log.h"

#include <unistd.h>

#include "os/output.h"
#include "os/text.h"

namespace os {
namespace {

constinit std::string_view log_name = "cnative";
constinit bool is_read = true; ///< until stderr turns out to be full: it is not waited for twice

/// Names come from configurations: they must not move an operator's cursor or fake a second line.
std::string printable(std::string_view line) {
    std::string out;
    for (const char c : line) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte < 0x20 || byte == 0x7f)
            out += cat("\\x", hex({&byte, 1}));
        else
            out += c;
    }
    return out;
}

} // namespace

void set_log_name(std::string_view name) noexcept {
    log_name = name;
}

void warn(std::string_view line) noexcept {
    try {
        // One write up to 4 KiB, so that lines of plugins that share a stderr do not mix.
        const std::string text = cat(log_name, ": warning: ", printable(line), "\n");
        if (is_read)
            is_read = write_all(STDERR_FILENO, text, Deadline::in(stderr_patience));
    } catch (...) {
        // A warning that cannot be told is not worth failing for.
    }
}

std::string errno_alone(const Error& error) {
    warn(error.what());
    return errno_text(error.err());
}

} // namespace os
