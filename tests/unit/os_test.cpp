// SPDX-License-Identifier: Apache-2.0
// Text, errors, hashes, files, sysctls, undo: what needs no second process. Processes: os_process_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netns/netns.h"
#include "os/close_later.h"
#include "os/errno_words.h"
#include "os/error.h"
#include "os/file.h"
#include "os/sha512.h"
#include "os/signals.h"
#include "os/sysctl.h"
#include "os/text.h"
#include "os/undo.h"

namespace {

struct Scratch {
    Scratch() {
        char name[] = "/tmp/cnative-os-XXXXXX";
        path = ::mkdtemp(name);
        dir = os::open_dir(path);
    }
    ~Scratch() { std::filesystem::remove_all(path); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::string path;
    os::Fd dir;
};

/// The text and errno of what `action` throws.
template <typename Action> std::pair<int, std::string> failure(Action action) {
    try {
        action();
    } catch (const os::Error& error) {
        return {error.err(), error.what()};
    }
    return {0, "no failure"};
}

using Failure = std::pair<int, std::string>;

} // namespace

TEST_CASE("an error names operation, object, errno and detail") {
    const os::Error error(EEXIST, "create", "veth veth01234567", "name in use");
    CHECK(std::string(error.what()) == "create veth veth01234567: file exists: name in use");
    CHECK(error.reason() == "file exists: name in use");
    CHECK(error.err() == EEXIST);

    CHECK(std::string(os::Error(EIO, "pipe", {}).what()) == "pipe: input/output error");
    CHECK(std::string(os::Error(EIO, {}, {}).what()) == "input/output error");
}

TEST_CASE("an error with a fixed text is all reason") {
    const os::Error error = os::Error::plain(EINVAL, "unknown FS magic");
    CHECK(std::string(error.what()) == "unknown FS magic");
    CHECK(error.reason() == "unknown FS magic");
    CHECK(error.err() == EINVAL);
}

TEST_CASE("errno texts are worded as Go words them") {
    const std::pair<int, const char*> texts[] = {{ENOENT, "no such file or directory"},
                                                 {EEXIST, "file exists"},
                                                 {EACCES, "permission denied"},
                                                 {EROFS, "read-only file system"},
                                                 {ENOSPC, "no space left on device"},
                                                 {EPERM, "operation not permitted"},
                                                 {EINVAL, "invalid argument"},
                                                 {EBUSY, "device or resource busy"},
                                                 {ENETUNREACH, "network is unreachable"},
                                                 {ERANGE, "numerical result out of range"},
                                                 {ENOTSUP, "operation not supported"},
                                                 {ESRCH, "no such process"},
                                                 {EADDRINUSE, "address already in use"},
                                                 {ENODEV, "no such device"},
                                                 {EDOTDOT, "RFS specific error"},
                                                 {EXFULL, "exchange full"},
                                                 {ENOCSI, "no CSI structure available"},
                                                 {ELIBSCN, ".lib section in a.out corrupted"},
                                                 {ERFKILL, "operation not possible due to RF-kill"},
                                                 {4000, "errno 4000"}};
    for (const auto& [err, text] : texts)
        CHECK(os::errno_text(err) == text);
}

#ifdef __GLIBC__
TEST_CASE("the words for an error are glibc's whatever the libc") {
    for (int err = 0; err < 200; ++err) {
        const char* ours = os::errno_words(err);
        const char* theirs = strerrordesc_np(err);
        CHECK_MESSAGE(std::string(ours == nullptr ? "" : ours) == (theirs == nullptr ? "" : theirs), err);
    }
}
#endif

TEST_CASE("cat joins strings, characters and integers") {
    CHECK(os::cat("a", std::string("b"), std::string_view("c"), 'd', -1, 18446744073709551615ull) ==
          "abcd-118446744073709551615");
    CHECK(os::cat().empty());
    CHECK(os::cat(INT64_MIN, ' ', static_cast<signed char>(-7), ' ', std::uint16_t{65535}, ' ', 0) ==
          "-9223372036854775808 -7 65535 0");
}

TEST_CASE("parse_uint takes plain decimal numbers up to the maximum") {
    CHECK(os::parse_uint("0") == 0);
    CHECK(os::parse_uint("65535", 65535) == 65535);
    CHECK(os::parse_uint("18446744073709551615") == UINT64_MAX);
    CHECK(os::parse_uint("007") == 7);
    for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "1.0", "a", "18446744073709551616"})
        CHECK_FALSE(os::parse_uint(bad));
    CHECK_FALSE(os::parse_uint("65536", 65535));
}

TEST_CASE("quote prints as Go's %q does") {
    CHECK(os::quote("/run/netns/x") == R"("/run/netns/x")");
    CHECK(os::quote("") == R"("")");
    CHECK(os::quote("a\"b\\c\nd\te\r\a\b\f\v") == R"("a\"b\\c\nd\te\r\a\b\f\v")");
    CHECK(os::quote(std::string_view("\0\x1f\x7f", 3)) == R"("\x00\x1f\x7f")");
    CHECK(os::quote("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80") == "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"");
    CHECK(os::quote("\xc2\x85\xe2\x80\xa8\xe3\x80\x80\xf3\xa0\x80\x81") == R"("\u0085\u2028\u3000\U000e0001")");
    CHECK(os::quote("\xff\xc3(\xe2\x80") == R"("\xff\xc3(\xe2\x80")");
    CHECK(os::quote("\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80") == R"("\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80")");
}

TEST_CASE("trim, split, words, join, lower, hex") {
    CHECK(os::trim(" \t\n\v\f\r a b \n") == "a b");
    CHECK(os::trim(" \n").empty());
    CHECK(os::split("a;;b", ';') == std::vector<std::string_view>{"a", "", "b"});
    CHECK(os::split("", ';') == std::vector<std::string_view>{""});
    CHECK(os::words(" \ta b\n\vc ") == std::vector<std::string_view>{"a", "b", "c"});
    CHECK(os::words(" \n").empty());
    const std::string parts[] = {"a", "", "b"};
    CHECK(os::join(parts, ", ") == "a, , b");
    CHECK(os::join({}, ", ").empty());
    CHECK(os::lower("Ab\xc3\x84-9") == "ab\xc3\x84-9");
    CHECK(os::hex(std::array<std::uint8_t, 3>{0x00, 0x9f, 0xff}) == "009fff");
}

TEST_CASE("sha512 agrees with FIPS 180-4 at every padding length") {
    CHECK(os::sha512_hex("abc") == "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                                   "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    CHECK(os::sha512_hex("").substr(0, 16) == "cf83e1357eefb8bd");
    CHECK(os::sha512_hex("unit-test").substr(0, 16) == "6fd94d501e58f0aa");
    CHECK(os::sha512_hex("eth0:one").substr(0, 16) == "287fc69eff0574a2");

    std::string chain; // each hash enters the next, so one comparison covers 301 lengths
    for (std::size_t length = 0; length <= 300; ++length)
        chain = os::sha512_hex(chain + std::string(length, 'a'));
    CHECK(chain.substr(0, 32) == "58db8035fae6152ecc5609b6a1b5ac1b");
}

TEST_CASE("undo runs last in, first out, and reports what it could not do") {
    std::string order;
    os::Undo undo;
    undo.push("first", [&] { order += "1"; });
    undo.push("second", [&] {
        order += "2";
        throw os::Error(EPERM, "delete", "veth0");
    });
    undo.push("third", [&] {
        order += "3";
        throw std::runtime_error("broken");
    });
    CHECK(undo.unwind() == "third: broken; second: delete veth0: operation not permitted");
    CHECK(order == "321");
    CHECK(undo.unwind().empty());
}

TEST_CASE("commit forgets the undo entries and runs every commit action") {
    std::string order;
    os::Undo undo;
    undo.push("entry", [&] { order += "undone"; });
    undo.on_commit([&] {
        order += "1";
        throw os::Error(EIO, "mark", "alias");
    });
    undo.on_commit([&] { order += "2"; });
    undo.commit();
    CHECK(order == "12");
    CHECK(undo.unwind().empty());
    CHECK(order == "12");
}

TEST_CASE("unwinding drops the commit actions") {
    bool committed = false;
    os::Undo undo;
    undo.on_commit([&] { committed = true; });
    CHECK(undo.unwind().empty());
    undo.commit();
    CHECK_FALSE(committed);
}

TEST_CASE("a pending signal is thrown by push, after the entry is on the list") {
    sigset_t old;
    sigprocmask(SIG_SETMASK, nullptr, &old);
    os::block_signals();

    int undone = 0;
    os::Undo undo;
    CHECK_NOTHROW(undo.push("before", [&] { ++undone; }));
    raise(SIGTERM);
    CHECK_THROWS_AS(undo.push("after", [&] { ++undone; }), os::Interrupted);
    CHECK_NOTHROW(os::poll_signals()); // taken

    // A second signal does not stop the clean-up either.
    bool signalled = false;
    undo.push("interrupted", [&] {
        if (!std::exchange(signalled, true))
            raise(SIGINT);
        os::poll_signals();
        ++undone;
    });
    CHECK(undo.unwind().empty());
    CHECK(undone == 3);
    sigprocmask(SIG_SETMASK, &old, nullptr);
    signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("a file is replaced whole, whatever a killed call left, and links are not followed") {
    Scratch scratch;
    os::replace_file_at(scratch.dir, "f", "first", 0600);
    CHECK(os::create_file_at(scratch.dir, os::replacement_name("f"), "half-writ", 0600));
    os::replace_file_at(scratch.dir, "f", "second", 0600);
    CHECK(os::read_file_at(scratch.dir, "f", 100) == "second");
    CHECK(os::list_dir(scratch.dir) == std::vector<std::string>{"f"});
    REQUIRE(::symlinkat("f", scratch.dir.get(), os::replacement_name("f").c_str()) == 0);
    CHECK(failure([&] { os::replace_file_at(scratch.dir, "f", "third", 0600); }).first == ELOOP);
    CHECK(os::read_file_at(scratch.dir, "f", 100) == "second");
    CHECK(failure([&] { os::replace_file_at(scratch.dir, "../f", "x", 0600); }).first == EINVAL);
}

TEST_CASE("a file appears with its whole content, once") {
    const Scratch scratch;
    CHECK(os::create_file_at(scratch.dir, "10.1.2.3", "container\r\neth0", 0644));
    CHECK_FALSE(os::create_file_at(scratch.dir, "10.1.2.3", "other", 0644));
    CHECK(os::read_file_at(scratch.dir, "10.1.2.3", 100) == "container\r\neth0");
    CHECK(os::list_dir(scratch.dir) == std::vector<std::string>{"10.1.2.3"});

    struct stat status;
    REQUIRE(::stat((scratch.path + "/10.1.2.3").c_str(), &status) == 0);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    CHECK((status.st_mode & 0777) == (0644 & ~mask));
    CHECK(status.st_nlink == 1);
}

TEST_CASE("unlinking says whether there was something") {
    const Scratch scratch;
    CHECK(os::create_file_at(scratch.dir, "a", "", 0600));
    CHECK(os::unlink_at(scratch.dir, "a"));
    CHECK_FALSE(os::unlink_at(scratch.dir, "a"));
}

TEST_CASE("nothing is there under a name that is too long for a file") {
    const Scratch scratch;
    const std::string name(NAME_MAX + 1, 'a');
    CHECK_FALSE(os::unlink_at(scratch.dir, name));
    CHECK_FALSE(os::read_file_at(scratch.dir, name, 100));
    CHECK_FALSE(os::open_dir_at(scratch.dir, name));
    CHECK(failure([&] { (void)os::make_dir_at(scratch.dir, name, 0700); }).first == ENAMETOOLONG);
}

TEST_CASE("rewriting replaces longer content") {
    const Scratch scratch;
    os::rewrite_file_at(scratch.dir, "last", "10.1.2.100", 0600);
    os::rewrite_file_at(scratch.dir, "last", "10.1.2.3", 0600);
    CHECK(os::read_file_at(scratch.dir, "last", 100) == "10.1.2.3");
}

TEST_CASE("reading keeps to its limit") {
    const Scratch scratch;
    const std::string content(5000, 'x');
    REQUIRE(os::create_file_at(scratch.dir, "f", content, 0600));
    CHECK(os::read_file_at(scratch.dir, "f", 5000) == content);
    CHECK(failure([&] { (void)os::read_file_at(scratch.dir, "f", 4999); }) ==
          Failure(EFBIG, "read " + scratch.path + "/f: file too large"));
    CHECK_FALSE(os::read_file_at(scratch.dir, "missing", 10));
    CHECK_FALSE(os::read_file(scratch.path + "/missing", 10));
    CHECK(os::read_file("/dev/null", 10) == "");
    CHECK_THROWS_AS((void)os::read_file("/dev/zero", 10), os::Error);
    CHECK(os::read_file("/proc/self/status", 1 << 16)->starts_with("Name:")); // says it has no bytes
}

TEST_CASE("symbolic links, FIFOs and directories are not read") {
    const Scratch scratch;
    REQUIRE(os::create_file_at(scratch.dir, "f", "x", 0600));
    REQUIRE(::symlink("f", (scratch.path + "/link").c_str()) == 0);
    REQUIRE(::mkfifo((scratch.path + "/fifo").c_str(), 0600) == 0);
    REQUIRE(::mkdir((scratch.path + "/sub").c_str(), 0700) == 0);

    CHECK(failure([&] { (void)os::read_file_at(scratch.dir, "link", 10); }).first == ELOOP);
    CHECK(failure([&] { (void)os::read_file_at(scratch.dir, "fifo", 10); }).first == EINVAL);
    CHECK(failure([&] { (void)os::read_file_at(scratch.dir, "sub", 10); }).first == EISDIR);
    CHECK(failure([&] { os::rewrite_file_at(scratch.dir, "link", "y", 0600); }).first == ELOOP);
    CHECK(failure([&] { os::rewrite_file_at(scratch.dir, "fifo", "y", 0600); }).first == ENXIO);
    CHECK_FALSE(os::create_file_at(scratch.dir, "link", "y", 0600));
    CHECK(os::read_file(scratch.path + "/link", 10) == "x");
}

TEST_CASE("a name is one path component") {
    const Scratch scratch;
    for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                    std::string("../x"), std::string("a\0b", 3)}) {
        CHECK(failure([&] { (void)os::read_file_at(scratch.dir, name, 10); }).first == EINVAL);
        CHECK(failure([&] { (void)os::create_file_at(scratch.dir, name, "", 0600); }).first == EINVAL);
        CHECK(failure([&] { os::rewrite_file_at(scratch.dir, name, "", 0600); }).first == EINVAL);
        CHECK(failure([&] { os::unlink_at(scratch.dir, name); }).first == EINVAL);
        CHECK(failure([&] { (void)os::open_dir_at(scratch.dir, name); }).first == EINVAL);
        CHECK(failure([&] { (void)os::make_dir_at(scratch.dir, name, 0700); }).first == EINVAL);
    }
}

TEST_CASE("directories are made with their parents") {
    const Scratch scratch;
    const os::Fd deep = os::make_dirs(scratch.path + "/a//b/c/", 0755);
    CHECK(os::create_file_at(deep, "f", "x", 0600));
    CHECK(os::read_file(scratch.path + "/a/b/c/f", 10) == "x");
    CHECK_NOTHROW((void)os::make_dirs(scratch.path + "/a/b/c", 0755));
    CHECK(failure([&] { (void)os::make_dirs(scratch.path + "/a/b/c/f/d", 0755); }) ==
          Failure(ENOTDIR, "mkdir " + scratch.path + "/a/b/c/f: not a directory"));
    CHECK(failure([&] { (void)os::make_dir_at(deep, "f", 0755); }) ==
          Failure(ENOTDIR, "mkdir " + scratch.path + "/a/b/c/f: not a directory"));

    CHECK_FALSE(os::open_dir_at(scratch.dir, "net"));
    CHECK_NOTHROW((void)os::make_dir_at(scratch.dir, "net", 0755));
    CHECK_NOTHROW((void)os::make_dir_at(scratch.dir, "net", 0755));
    CHECK(os::open_dir_at(scratch.dir, "net"));
    CHECK(failure([] { (void)os::open_dir("/nonexistent"); }) ==
          Failure(ENOENT, "open /nonexistent: no such file or directory"));
}

TEST_CASE("who else may write in a directory is told") {
    const Scratch scratch;
    CHECK(os::other_writers(scratch.dir).empty());
    const std::string self = std::to_string(::geteuid());
    for (const mode_t mode : {0775U, 0757U, 01777U}) {
        REQUIRE(::chmod(scratch.path.c_str(), mode) == 0);
        CHECK(os::other_writers(scratch.dir) == "may be written by others than user " + self);
    }
    if (::geteuid() == 0) {
        REQUIRE(::chown(scratch.path.c_str(), 1000, 0) == 0);
        CHECK(os::other_writers(scratch.dir) == "belongs to user 1000");
    }
}

TEST_CASE("a directory can be listed twice") {
    const Scratch scratch;
    for (const char* name : {"b", "a", ".hidden"})
        REQUIRE(os::create_file_at(scratch.dir, name, "", 0600));
    for (int round = 0; round < 2; ++round) {
        auto names = os::list_dir(scratch.dir);
        std::sort(names.begin(), names.end());
        CHECK(names == std::vector<std::string>{".hidden", "a", "b"});
    }
}

TEST_CASE("sysctls are read, and written only when they differ") {
    const auto forward = os::read_net_sysctl("ipv4/ip_forward");
    REQUIRE(forward);
    CHECK((*forward == "0" || *forward == "1"));
    CHECK_FALSE(os::set_net_sysctl("ipv4/ip_forward", *forward)); // so it works on a read-only /proc
    CHECK_FALSE(os::read_net_sysctl("ipv4/conf/no-such-if/forwarding"));
    CHECK(failure([] { os::set_net_sysctl("ipv4/no_such", "1"); }) ==
          Failure(ENOENT, "open /proc/sys/net/ipv4/no_such: no such file or directory"));
    CHECK_NOTHROW(os::try_net_sysctl("ipv4/no_such", "1"));
    CHECK_NOTHROW(os::try_net_sysctl("../kernel/hostname", "x"));
}

TEST_CASE("a sysctl's key cannot leave /proc/sys/net") {
    for (const char* key :
         {"../kernel/hostname", "ipv4/../../kernel/hostname", "", "/ipv4/ip_forward", "ipv4//x", "./x"})
        CHECK(failure([&] { (void)os::read_net_sysctl(key); }).first == EINVAL);
    CHECK(failure([] { (void)os::read_net_sysctl("ipv4/../x"); }).second == "sysctl \"ipv4/../x\": invalid argument");
}

TEST_CASE("a path that is no network namespace is refused in the Go suite's words") {
    using netns::Netns;
    CHECK(failure([] { (void)Netns::open("/nonexistent"); }) ==
          Failure(ENOENT, R"(failed to Statfs "/nonexistent": no such file or directory)"));
    CHECK(failure([] { (void)Netns::open(""); }) ==
          Failure(ENOENT, R"(failed to Statfs "": no such file or directory)"));
    CHECK(failure([] { (void)Netns::open("/etc/passwd/x"); }) ==
          Failure(ENOTDIR, R"(failed to Statfs "/etc/passwd/x": not a directory)"));
    CHECK(failure([] { (void)Netns::open("/sys"); }) == Failure(EINVAL, R"(unknown FS magic on "/sys": 62656572)"));
    CHECK(failure([] { (void)Netns::open("/proc/self/status"); }) ==
          Failure(EINVAL, R"("/proc/self/status" is not a network namespace)"));
    CHECK(failure([] { (void)Netns::open("/proc/self/ns/mnt"); }) ==
          Failure(EINVAL, R"("/proc/self/ns/mnt" is not a network namespace)"));

    const Scratch scratch;
    REQUIRE(::mkfifo((scratch.path + "/fifo").c_str(), 0600) == 0);
    CHECK(failure([&] {
              (void)Netns::open(scratch.path + "/fifo");
          }).second.starts_with("unknown FS magic on \"" + scratch.path + "/fifo\": "));
}

TEST_CASE("our own network namespace is one, and the same as itself") {
    const auto own = netns::Netns::open("/proc/self/ns/net");
    CHECK(own.same(netns::Netns::current()));
    CHECK((::fcntl(own.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a namespace that is gone is not found, without an error") {
    CHECK_FALSE(netns::Netns::find(""));
    CHECK_FALSE(netns::Netns::find("/nonexistent"));
    CHECK_FALSE(netns::Netns::find("/etc/passwd"));
    CHECK(netns::Netns::find("/proc/self/ns/net"));
}

TEST_CASE("a descriptor left to the kernel is closed, and its owner does not wait for that") {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    os::Fd reading(ends[0]), writing(ends[1]);
    {
        const os::CloseLater second_owner(writing.get());
        writing.reset();
        pollfd open{.fd = reading.get(), .events = POLLIN, .revents = 0};
        CHECK(poll(&open, 1, 0) == 0);
    }
    pollfd closed{.fd = reading.get(), .events = POLLIN, .revents = 0};
    CHECK(poll(&closed, 1, 10000) == 1);
    CHECK((closed.revents & POLLHUP) != 0);
}
