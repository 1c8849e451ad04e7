// SPDX-License-Identifier: Apache-2.0
#include "ipam/delegate.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include <sys/stat.h>
#include <sys/wait.h>

#include "cni/error.h"
#include "cni/version.h"
#include "os/output.h"
#include "os/signals.h"
#include "os/text.h"

extern char** environ;

namespace ipam {

namespace {

// dhcp waits for its server, a minute and a bit; everything else answers in milliseconds.
constexpr std::chrono::seconds add_patience{90};
// Giving back and looking take no longer than waiting for a lock, which is over after 15 s one way or the other.
constexpr std::chrono::seconds patience{30};
// For the release after an ADD that never answered: runtimes give the whole call two minutes, and then nobody would
// hear which plugin it was.
constexpr std::chrono::seconds patience_after_silence{5};

std::vector<std::string> environment_for(std::string_view command) {
    constexpr std::string_view key = "CNI_COMMAND=";
    std::vector<std::string> environment{os::cat(key, command)};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!std::string_view(*entry).starts_with(key))
            environment.emplace_back(*entry);
    }
    return environment;
}

bool is_program(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

// Go's words for the signals that end programs, from 1 on. strsignal() has others, which differ from libc to libc. One
// text: a table of pointers would be relocated at every start.
constexpr std::string_view signal_words =
    "hangup,interrupt,quit,illegal instruction,trace/breakpoint trap,aborted,bus error,floating point exception,killed,"
    "user defined signal 1,segmentation fault,user defined signal 2,broken pipe,alarm clock,terminated";

std::string signal_text(int signal) {
    std::string_view words = signal_words;
    for (int i = 1; i < signal; ++i) {
        const std::size_t comma = words.find(',');
        if (comma == words.npos)
            return os::cat("signal ", signal);
        words.remove_prefix(comma + 1);
    }
    return std::string(words.substr(0, words.find(',')));
}

std::string end_of(const os::Output& output) {
    if (WIFEXITED(output.status))
        return os::cat("exit status ", WEXITSTATUS(output.status));
    return os::cat("signal: ", signal_text(WTERMSIG(output.status)));
}

// The delegate's own error document, or the Go suite's words for a delegate that died without one.
[[noreturn]] void throw_failure(const os::Output& output) {
    const std::string status = end_of(output);
    if (output.out.empty())
        throw cni::Error(output.err.empty() ? os::cat("netplugin failed with no error message: ", status)
                                            : os::cat("netplugin failed: ", os::quote(output.err), ": ", status));
    std::optional<cni::Error> error;
    try {
        const cni::Object document = cni::Object::parse(output.out);
        const auto code = document.number("code", 0, 0, UINT32_MAX);
        error.emplace(static_cast<cni::Code>(code), document.text("msg"), document.text("details"));
    } catch (const cni::Error& broken) {
        throw cni::Error(os::cat("netplugin failed but error parsing its diagnostic message ", os::quote(output.out),
                                 ": ", broken.message()));
    }
    // It ended badly after a result: no error at all would be a code of 0 without a word.
    if (static_cast<unsigned>(error->code()) == 0 && error->message().empty())
        throw cni::Error(os::cat("netplugin failed after its answer: ", status));
    throw cni::Error(*error);
}

cni::Object parse_answer(const std::string& answer) {
    try {
        return cni::Object::parse(answer);
    } catch (const cni::Error& error) {
        throw cni::Error(os::cat("failed to unmarshal raw result: ", error.message()));
    }
}

// In whatever version it says it is; without a word about it the one of the config.
cni::Result read_answer(const cni::Object& document, const std::string& config_version) {
    constexpr std::string_view prefix = "failed to unmarshal raw result: ";
    const std::string own = cni::prefixed(prefix, [&] { return document.text("cniVersion"); });
    const std::string& version = own.empty() ? config_version : own;
    const auto known = cni::supported_versions();
    if (std::ranges::find(known, version) == known.end())
        throw cni::Error(os::cat("unsupported CNI result version ", os::quote(version)));
    return cni::prefixed(prefix, [&] { return cni::Result::read(document, version); });
}

} // namespace

Delegate::Delegate(const cni::Invocation& call, std::string type) : call_(&call), type_(std::move(type)) {}

std::string Delegate::find() const {
    if (type_.empty())
        throw cni::Error("no plugin name provided");
    if (type_.find('/') != std::string::npos || type_ == "." || type_ == "..")
        throw cni::Error(os::cat("invalid plugin name: ", type_));
    if (call_->path.empty())
        throw cni::Error("no paths provided");
    std::string searched;
    for (const std::string_view folder : os::split(call_->path, ':')) {
        if (folder.empty())
            continue;
        std::string candidate = os::cat(folder, '/', type_);
        if (is_program(candidate))
            return candidate;
        searched += os::cat(searched.empty() ? "" : " ", folder);
    }
    throw cni::Error(os::cat("failed to find plugin ", os::quote(type_), " in path [", searched, "]"));
}

os::Child Delegate::start(std::string_view command) const {
    return os::Child::start(find(), environment_for(command), call_->raw_stdin);
}

std::string Delegate::finish(os::Child child, const os::Deadline& deadline) const {
    os::Output output = child.wait(deadline);
    if (!WIFEXITED(output.status) || WEXITSTATUS(output.status) != 0) {
        os::poll_signals(); // a signal that we passed on is the reason, not what the delegate makes of it
        throw_failure(output);
    }
    if (!output.err.empty())
        (void)os::write_all(STDERR_FILENO, output.err, os::Deadline::in(os::stderr_patience));
    return std::move(output.out);
}

void Delegate::run(std::string_view command) const {
    if (!type_.empty())
        (void)finish(start(command), os::Deadline::in(patience));
}

Pending Delegate::start_add(os::Undo& undo) const {
    (void)find(); // a delegate that does not exist has nothing to undo
    const auto release = std::make_shared<std::chrono::seconds>(patience);
    undo.push(os::cat("lease by ", type_), [delegate = *this, release] {
        if (release->count() > 0)
            (void)delegate.finish(delegate.start("DEL"), os::Deadline::in(*release));
    });
    return Pending(*this, start("ADD"), release);
}

void Delegate::del() const {
    run("DEL");
}

void Delegate::check() const {
    run("CHECK");
}

void Delegate::gc() const {
    run("GC");
}

void Delegate::status() const {
    run("STATUS");
}

std::string Pending::answer(os::Child child, const os::Deadline& deadline) const {
    *release_ = patience_after_silence;
    try {
        std::string answer = delegate_->finish(std::move(child), deadline);
        *release_ = patience;
        return answer;
    } catch (const cni::Error& error) {
        // Asked to come back later: it has made nothing, and what kept it from that would keep a DEL as well.
        *release_ = error.code() == cni::Code::try_again_later ? std::chrono::seconds(0) : patience;
        throw;
    }
}

cni::Result Pending::wait() {
    const os::Deadline deadline = os::Deadline::in(add_patience); // of all that it takes
    std::string answer;
    try {
        answer = this->answer(std::move(child_), deadline);
    } catch (const cni::Error& error) {
        if (error.message().find("duplicate allocation is not allowed") == std::string::npos)
            throw;
        reclaimed_ = true;
        (void)delegate_->finish(delegate_->start("DEL"), std::min(deadline, os::Deadline::in(patience)));
        answer = this->answer(delegate_->start("ADD"), deadline);
    }
    cni::Result result = read_answer(parse_answer(answer), delegate_->call_->version);
    if (result.ips.empty())
        throw cni::Error("IPAM plugin returned missing IP config");
    return result;
}

} // namespace ipam
