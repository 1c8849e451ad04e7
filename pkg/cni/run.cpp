// SPDX-License-Identifier: Apache-2.0
#include "cni/run.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cni/environment.h"
#include "cni/json_write.h"
#include "cni/version.h"
#include "os/log.h"
#include "os/output.h"
#include "os/signals.h"
#include "os/text.h"

namespace cni {

namespace {

constexpr std::string_view out_of_memory = "{\n    \"code\": 999,\n    \"msg\": \"out of memory\"\n}";

/// false when the reader is gone, or does not read.
bool write_out(int fd, std::string_view text) noexcept {
    return os::write_all(fd, text, os::Deadline::in(os::stdout_patience));
}

/// The one document of this call: from here on a crash stays silent.
bool answer(std::string_view document) noexcept {
    const bool written = write_out(STDOUT_FILENO, document);
    os::answer_crashes_with({});
    return written;
}

std::string error_document(const Error& error) {
    json::Members members{{"code", os::cat(static_cast<unsigned>(error.code()))},
                          {"msg", json::literal(error.message())}};
    if (!error.details().empty())
        members.emplace_back("details", json::literal(error.details()));
    return json::object(members, 0);
}

std::span<const std::string_view> versions_of(const Plugin& plugin) {
    return plugin.versions.empty() ? supported_versions() : plugin.versions;
}

std::string joined(std::span<const std::string_view> words, std::string_view separator, bool quoted) {
    std::string out;
    for (const std::string_view word : words)
        out += os::cat(out.empty() ? "" : separator, quoted ? os::quote(word) : std::string(word));
    return out;
}

void print_version(const Plugin& plugin) {
    (void)write_out(STDOUT_FILENO, os::cat(plugin.name, " (cnative) " CNATIVE_VERSION ", commit " CNATIVE_COMMIT "\n",
                                           plugin.licences, "\n"));
}

void print_about(const Plugin& plugin) {
    (void)write_out(STDERR_FILENO,
                    os::cat("CNI ", plugin.name, " plugin v" CNATIVE_VERSION "\n",
                            "CNI protocol versions supported: ", joined(versions_of(plugin), ", ", false), "\n"));
}

// The suite's newest version, not the caller's: what the Go suite says, and what decoders of it expect.
bool answer_version(const Plugin& plugin) {
    std::string list;
    for (const std::string_view version : versions_of(plugin))
        list += os::cat(list.empty() ? "" : ",", json::literal(version));
    return answer(os::cat(R"({"cniVersion":")", newest_version, R"(","supportedVersions":[)", list, "]}\n"));
}

/// A wrong type found while decoding the two keys of the protocol itself has its own code.
std::string decode_text(const Object& config, std::string_view key, std::string_view prefix) {
    try {
        return config.text(key);
    } catch (const Error& error) {
        throw Error(Code::decoding_failure, os::cat(prefix, error.message()));
    }
}

Invocation read_call(const Environment& environment) {
    constexpr std::string_view prefix = "error unmarshall network config: ";
    Invocation call;
    call.command = environment.command;
    call.container_id = environment.container_id;
    call.netns = environment.netns;
    call.ifname = environment.ifname;
    call.args = environment.args;
    call.path = environment.path;
    call.raw_stdin = read_stdin();
    call.config = prefixed(prefix, [&] { return Object::parse(call.raw_stdin); });
    call.network = decode_text(call.config, "name", prefix);
    if (call.network.empty())
        throw Error(Code::invalid_config, "missing network name");
    if (!is_identifier(call.network))
        throw Error(Code::invalid_config, "invalid characters found in network name", call.network);
    accept_runtime_keys(call.config);
    return call;
}

/// CHECK, GC and STATUS exist since a version of the protocol: config and plugin must both be that new.
void check_verb_exists(const Plugin& plugin, const Invocation& call, const Version& since) {
    const Version wanted = Version::parse(call.version);
    if (wanted < since)
        throw Error(Code::incompatible_version, os::cat("config version does not allow ", call.command));
    const auto reaches = [&](std::string_view version) { return Version::parse(version) >= wanted; };
    if (std::ranges::none_of(versions_of(plugin), reaches))
        throw Error(Code::incompatible_version, os::cat("plugin version does not allow ", call.command));
}

void negotiate_version(const Plugin& plugin, Invocation& call) {
    call.version = decode_text(call.config, "cniVersion", "decoding version from network config: ");
    if (call.version.empty())
        call.version = "0.1.0";
    if (call.command == "CHECK")
        check_verb_exists(plugin, call, {0, 4, 0});
    if (call.command == "GC" || call.command == "STATUS")
        check_verb_exists(plugin, call, {1, 1, 0});
    const auto versions = versions_of(plugin);
    if (std::ranges::find(versions, call.version) == versions.end())
        throw Error(
            Code::incompatible_version, "incompatible CNI versions",
            os::cat("config is ", os::quote(call.version), ", plugin supports [", joined(versions, " ", true), "]"));
}

// What cannot be looked at is the plugin's to judge: DEL is asked about namespaces that are gone.
void refuse_host_namespace(const std::string& path) {
    struct stat own {
    }, given{};
    if (stat(path.c_str(), &given) != 0)
        return;
    if (stat("/proc/self/ns/net", &own) != 0)
        throw Error(Code::invalid_netns, "get plugin's netns failed");
    if (own.st_dev == given.st_dev && own.st_ino == given.st_ino)
        throw Error(Code::invalid_netns, "plugin's netns and netns from CNI_NETNS should not be the same");
}

/// The error being handled, with what could not be undone as its details.
[[noreturn]] void throw_undone(os::Undo& undo) {
    try {
        throw;
    } catch (const os::Interrupted&) {
        const std::string report = undo.unwind();
        throw Error(Code::plugin,
                    current_error().message() + (report.empty() ? ": everything done by this call was undone" : ""),
                    report);
    } catch (...) {
        const Error error = current_error();
        throw with_details(error, undo.unwind());
    }
}

int add(const Plugin& plugin, const Invocation& call, os::Undo& undo) {
    std::string document;
    try {
        document = plugin.add(call, undo).write(call.version);
        os::poll_signals();
    } catch (...) {
        throw_undone(undo);
    }
    // A runtime that never got the result will not know that the endpoint exists.
    if (!answer(document)) {
        const std::string report = undo.unwind();
        os::warn(os::cat("the result could not be written to stdout, everything was undone",
                         report.empty() ? "" : " but ", report));
        return 1;
    }
    return 0;
}

int call_plugin(const Plugin& plugin, const Invocation& call, os::Undo& undo) {
    if (call.command == "ADD")
        return plugin.add == nullptr ? 0 : add(plugin, call, undo);
    const auto verb = call.command == "DEL"     ? plugin.del
                      : call.command == "CHECK" ? plugin.check
                      : call.command == "GC"    ? plugin.gc
                                                : plugin.status;
    if (verb != nullptr)
        verb(call);
    return 0;
}

/// The Go suite's order of work; it decides which of several errors is told.
int serve(const Plugin& plugin, os::Undo& undo) {
    const Environment environment = Environment::read();
    const std::string& command = environment.command;
    if (command.empty()) {
        print_about(plugin);
        return 0;
    }
    if (command == "VERSION")
        return answer_version(plugin) ? 0 : 1;
    Invocation call = read_call(environment);
    if (command != "ADD" && command != "DEL" && command != "CHECK" && command != "GC" && command != "STATUS")
        throw Error(Code::invalid_environment, os::cat("unknown CNI_COMMAND: ", command));
    negotiate_version(plugin, call);
    if ((command == "ADD" || command == "DEL") && !environment.netns_override)
        refuse_host_namespace(call.netns);
    return call_plugin(plugin, call, undo);
}

int serve_or_explain(const Plugin& plugin, os::Undo& undo) {
    try {
        return serve(plugin, undo);
    } catch (...) {
        (void)answer(error_document(current_error()));
        return 1;
    }
}

/// Before Linux 5.11, or behind a seccomp filter that hides close_range.
void close_on_exec_one_by_one() noexcept {
    const std::unique_ptr<DIR, int (*)(DIR*)> open_ones(opendir("/proc/self/fd"), closedir);
    while (const dirent* const entry = open_ones ? readdir(open_ones.get()) : nullptr) {
        const int fd = std::atoi(entry->d_name); // "." and ".." read as 0
        if (fd > STDERR_FILENO)
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

/// A caller's descriptors stay out of the children, and what we open never lands on a closed stdout: writing
/// there must fail.
void prepare_descriptors() noexcept {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDONLY); // takes the lowest number free, this one
    }
    if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        close_on_exec_one_by_one();
}

/// The caller's umask decides about others, not about whether the next call can read what this one makes.
void prepare_umask() noexcept {
    umask(umask(S_IRWXG | S_IRWXO) & (S_IRWXG | S_IRWXO));
}

} // namespace

int run(const Plugin& plugin, int argc, char** argv) noexcept {
    try {
        os::block_signals(); // first of all: from here on SIGTERM gets an answer
        prepare_descriptors();
        prepare_umask();
        if (argc > 1 && std::string_view(argv[1]) == "--version") {
            print_version(plugin);
            return 0;
        }
        os::set_log_name(plugin.name);
        const std::string crash = error_document(Error(os::cat(
            "the ", plugin.name, " plugin crashed: this is a bug in it; a DEL removes what this call may have left")));
        os::answer_crashes_with(crash);
        static os::Undo& undo = *new os::Undo; // never destroyed: nothing comes between its commit and the end
        const int status = serve_or_explain(plugin, undo);
        os::answer_crashes_with({});
        if (status == 0)
            undo.commit();
        return status;
    } catch (...) {
        // Only memory can be missing here, and for these bytes none is needed.
        os::answer_crashes_with({});
        (void)answer(out_of_memory);
        return 1;
    }
}

} // namespace cni
