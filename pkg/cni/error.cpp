// SPDX-License-Identifier: Apache-2.0
#include "cni/error.h"

#include <cerrno>
#include <csignal>
#include <new>

#include "os/error.h"
#include "os/signals.h"
#include "os/text.h"

namespace cni {

namespace {

Code code_of(const os::Error& error) {
    switch (error.err()) {
    case ENOSPC:
    case EROFS:
    case EIO:
    case EDQUOT:
    case EFBIG:
        return Code::io_failure;
    default:
        return Code::plugin;
    }
}

std::string_view signal_name(int signal) {
    switch (signal) {
    case SIGTERM:
        return "SIGTERM";
    case SIGINT:
        return "SIGINT";
    case SIGHUP:
        return "SIGHUP";
    case SIGQUIT:
        return "SIGQUIT";
    default:
        return "unknown";
    }
}

void append(std::string& list, std::string_view item) {
    if (item.empty())
        return;
    if (!list.empty())
        list += "; ";
    list += item;
}

} // namespace

Error current_error() {
    try {
        throw;
    } catch (const Error& error) {
        return error;
    } catch (const os::Error& error) {
        return {code_of(error), error.what()};
    } catch (const os::Interrupted& interrupted) {
        return Error(
            os::cat("interrupted by signal ", interrupted.signal(), " (", signal_name(interrupted.signal()), ")"));
    } catch (const std::bad_alloc&) {
        return Error("out of memory");
    } catch (const std::exception& error) {
        return Error(error.what());
    } catch (...) {
        return Error("unknown failure");
    }
}

Error with_details(const Error& error, std::string_view more) {
    std::string details = error.details();
    append(details, more);
    return {error.code(), error.message(), std::move(details)};
}

void Errors::throw_if_any() const {
    if (!first_)
        return;
    try {
        std::rethrow_exception(first_);
    } catch (...) {
        throw with_details(current_error(), others_);
    }
}

void Errors::add_current() {
    try {
        throw;
    } catch (const os::Interrupted&) {
        throw;
    } catch (...) {
        if (!first_) {
            first_ = std::current_exception();
            return;
        }
        const Error error = current_error();
        append(others_, error.message());
        append(others_, error.details());
    }
}

} // namespace cni
