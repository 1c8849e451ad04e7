// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>

namespace os {

/// A failed system call: what was tried, on which object, and the kernel's errno.
/// what(): "<operation> <object>: <errno text>[: <detail>]", errno text in Go's lower-case wording
/// ("no such file or directory"), because callers of the Go suite have seen that.
class Error : public std::exception {
  public:
    Error(int err, std::string_view operation, std::string_view object, std::string_view detail = {});

    /// For the few texts that are fixed as a whole; reason() is then all of it.
    [[nodiscard]] static Error plain(int err, std::string text);

    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }
    [[nodiscard]] int err() const noexcept { return err_; }
    /// Of descriptors or memory: a later call may have what this one had not.
    [[nodiscard]] bool is_shortage() const noexcept;
    /// The part after the object: errno text and detail, for messages whose beginning is fixed.
    [[nodiscard]] std::string_view reason() const noexcept;

  private:
    Error() = default;

    int err_ = 0;
    std::string text_;
    std::size_t reason_at_ = 0;
};

/// errno as Go prints it: lower case first letter ("file exists").
[[nodiscard]] std::string errno_text(int err);

} // namespace os
