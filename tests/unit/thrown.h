// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cni/error.h"

/// "code message|details" of what `action` throws.
template <typename Action> std::string thrown(Action&& action) {
    try {
        (void)action();
    } catch (const cni::Error& error) {
        const std::string details = error.details().empty() ? "" : "|" + error.details();
        return std::to_string(static_cast<unsigned>(error.code())) + " " + error.message() + details;
    }
    return "nothing";
}
