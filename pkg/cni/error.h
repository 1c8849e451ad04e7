// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace cni {

/// Error codes of SPEC section "Error", and 999, which the Go suite uses for every ordinary plugin error.
enum class Code : unsigned {
    incompatible_version = 1,
    unsupported_field = 2,
    unknown_container = 3,
    invalid_environment = 4,
    io_failure = 5,
    decoding_failure = 6,
    invalid_config = 7,
    invalid_netns = 8,
    try_again_later = 11,
    not_available = 50,
    limited_connectivity = 51,
    plugin = 999,
};

/// What the runtime is told. Message form: "<what> <object>: <why>; <what to do>"; texts that the Go suite's
/// users know are kept word for word, with empty details.
class Error : public std::exception {
  public:
    Error(Code code, std::string message, std::string details = {})
        : code_(code), message_(std::move(message)), details_(std::move(details)) {}
    /// An ordinary plugin error (999).
    explicit Error(std::string message) : Error(Code::plugin, std::move(message)) {}

    [[nodiscard]] Code code() const noexcept { return code_; }
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    [[nodiscard]] const std::string& details() const noexcept { return details_; }
    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

  private:
    Code code_;
    std::string message_, details_;
};

/// The exception being handled as what the runtime is told: an Error as it is, os::Error with a code that fits its
/// errno, anything else as an ordinary plugin error. Call it inside a catch block.
[[nodiscard]] Error current_error();
/// The same error with `more` behind its details.
[[nodiscard]] Error with_details(const Error& error, std::string_view more);

/// Runs `action`; an Error leaving it gets `prefix` in front of its message ("failed to load netconf: ").
template <typename Action> auto prefixed(std::string_view prefix, Action&& action) {
    try {
        return std::forward<Action>(action)();
    } catch (const Error& error) {
        throw Error(error.code(), std::string(prefix) + error.message(), error.details());
    }
}

/// Errors of a tear-down that goes on: run each step, then throw_if_any() reports all of them, the first
/// one's code and message, the others' messages as details.
class Errors {
  public:
    template <typename Action> void collect(Action&& action) {
        try {
            std::forward<Action>(action)();
        } catch (...) {
            add_current();
        }
    }
    void throw_if_any() const;

  private:
    void add_current(); ///< cni::Error as is; os::Error and others by their what(); os::Interrupted is rethrown
    std::exception_ptr first_;
    std::string others_;
};

} // namespace cni
