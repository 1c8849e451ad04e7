// SPDX-License-Identifier: Apache-2.0
#include "os/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "os/errno_words.h"
#include "os/text.h"

namespace os {
namespace {

bool upper_case(char c) {
    return c >= 'A' && c <= 'Z';
}

const char* description(int err) {
#ifdef __GLIBC__
    return strerrordesc_np(err); // no locale, no allocation, and null for a number nobody knows
#else
    return errno_words(err);
#endif
}

} // namespace

std::string errno_text(int err) {
    const char* known = description(err);
    if (known == nullptr)
        return cat("errno ", err);

    std::string text = known;
    // Go's rule: "Bad address" loses its capital, "RFS specific error" keeps it.
    if (text.size() > 1 && upper_case(text[0]) && !upper_case(text[1]))
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

Error::Error(int err, std::string_view operation, std::string_view object, std::string_view detail)
    : err_(err), text_(operation), reason_at_(0) {
    if (!object.empty())
        text_ += cat(text_.empty() ? "" : " ", object);
    if (!text_.empty())
        text_ += ": ";
    reason_at_ = text_.size();

    text_ += errno_text(err);
    if (!detail.empty())
        text_ += cat(": ", detail);
}

Error Error::plain(int err, std::string text) {
    Error error;
    error.err_ = err;
    error.text_ = std::move(text);
    return error;
}

bool Error::is_shortage() const noexcept {
    return err_ == EMFILE || err_ == ENFILE || err_ == ENOMEM;
}

std::string_view Error::reason() const noexcept {
    return std::string_view(text_).substr(reason_at_);
}

} // namespace os
