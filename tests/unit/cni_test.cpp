// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cni/args.h"
#include "cni/error.h"
#include "cni/invocation.h"
#include "cni/object.h"
#include "cni/run.h"
#include "cni/version.h"
#include "os/error.h"
#include "os/text.h"
#include "thrown.h"

namespace {

using cni::Code;
using cni::Object;

// ---- a plugin run as a process of its own

struct Outcome {
    int status = -1; ///< exit status, or 1000 + signal
    std::string out, err;
};

std::string read_back(int fd) {
    std::string text(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), '\0');
    (void)!pread(fd, text.data(), text.size(), 0); // /dev/full has nothing to read
    close(fd);
    return text;
}

cni::Result add_nothing(const cni::Invocation& call, os::Undo& undo) {
    undo.push("thing", [] { (void)!write(STDERR_FILENO, "undone\n", 7); });
    undo.on_commit([] { (void)!write(STDERR_FILENO, "committed\n", 10); });
    const std::string mode = call.config.text("mode");
    if (mode == "error")
        throw cni::Error(Code::try_again_later, "try later", "why");
    if (mode == "full")
        throw os::Error(ENOSPC, "write", "lease");
    if (mode == "denied")
        throw os::Error(EPERM, "write", "lease");
    if (mode == "crash")
        std::abort();
    if (mode == "overflow")
        (void)raise(SIGSEGV);
    if (mode == "signal") {
        (void)raise(SIGTERM);
        undo.push("second thing", [] { throw cni::Error("stuck"); });
    }
    if (mode == "late signal")
        (void)raise(SIGINT);
    if (mode == "odd")
        throw 7;
    cni::Result result;
    if (mode == "layer2")
        result.interfaces = {{.name = "eth0"}};
    else
        result.ips = {{.address = inet::Prefix::parse("10.0.0.2/24").value()}};
    return result;
}

void say(const cni::Invocation& call) {
    (void)!write(STDERR_FILENO, call.command.data(), call.command.size());
}

using Variables = std::map<std::string, std::string>;

/// A complete environment but for `changes`.
Variables with(Variables changes) {
    changes.merge(
        Variables{{"CNI_CONTAINERID", "c1"}, {"CNI_NETNS", "/nowhere"}, {"CNI_IFNAME", "eth0"}, {"CNI_PATH", "/bin"}});
    return changes;
}

Outcome run(const Variables& variables, std::string_view input, const cni::Plugin& plugin, int out,
            std::vector<std::string> args) {
    const int in = memfd_create("in", 0), err = memfd_create("err", 0);
    REQUIRE(write(in, input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    lseek(in, 0, SEEK_SET);
    const pid_t child = fork();
    if (child == 0) {
        clearenv();
        for (const auto& [name, value] : variables)
            setenv(name.c_str(), value.c_str(), 1);
        for (const int number : {SIGSEGV, SIGABRT, SIGTERM})
            (void)std::signal(number, SIG_DFL); // doctest's own handlers
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        std::vector<char*> argv{const_cast<char*>("test")};
        for (std::string& arg : args)
            argv.push_back(arg.data());
        _exit(cni::run(plugin, static_cast<int>(argv.size()), argv.data()));
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    close(in);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), read_back(out), read_back(err)};
}

constexpr cni::Plugin test_plugin{
    .name = "test", .add = add_nothing, .del = say, .check = say, .gc = nullptr, .status = say};

Outcome run(const Variables& variables, std::string_view input, const cni::Plugin& plugin = test_plugin) {
    return run(variables, input, plugin, memfd_create("out", 0), {});
}

std::string error_json(unsigned code, const std::string& message, const std::string& details = {}) {
    return "{\n    \"code\": " + std::to_string(code) + ",\n    \"msg\": \"" + message + "\"" +
           (details.empty() ? "" : ",\n    \"details\": \"" + details + "\"") + "\n}";
}

/// The call fails with exactly this document, and with nothing on stderr.
void check_fails(const Variables& variables, std::string_view input, const std::string& document) {
    const Outcome outcome = run(variables, input);
    CHECK(outcome.status == 1);
    CHECK(outcome.out == document);
    CHECK(outcome.err.empty());
}

constexpr std::string_view good = R"({"cniVersion":"1.1.0","name":"net"})";

} // namespace

TEST_SUITE_BEGIN("cni");

// ---- unknown keys

TEST_CASE("unknown keys are warned about, here and in what was opened") {
    const cni::Plugin plugin{.name = "test", .del = [](const cni::Invocation& call) {
                                 (void)cni::read_net_conf(call.config);
                                 (void)call.config.flag("isGateway");
                                 for (const Object& mapping : call.config.objects("mappings"))
                                     (void)mapping.number("hostPort", 0, 0, 65535);
                                 call.config.warn_unknown();
                             }};
    const Outcome outcome = run(with({{"CNI_COMMAND", "DEL"}}), R"({"cniVersion":"1.0.0","name":"n","isGatway":true,
        "colour":1,"ISGATEWAY":true,"mappings":[{"HostPort":1},{"hostPrt":1}],"ipam":{"type":"x","subnet":1},"args":{"x":{"y":1}},
        "prevResult":{"ips":[],"other":1},"capabilities":{"p":true},"runtimeConfig":{"p":1},"dns":{"nameserver":[]},"disableCheck":true})",
                                plugin);
    CHECK(outcome.status == 0);
    CHECK(outcome.err == R"(test: warning: unknown key "isGatway" is ignored; did you mean "isGateway"?
test: warning: unknown key "colour" is ignored
test: warning: unknown key "mappings[1].hostPrt" is ignored; did you mean "mappings[1].hostPort"?
test: warning: unknown key "dns.nameserver" is ignored; did you mean "dns.nameservers"?
)");
}

// ---- CNI_ARGS

TEST_CASE("CNI_ARGS are read as the Go suite reads them") {
    const auto failure = [](std::string_view args) {
        return thrown([&] { return cni::parse_args(args, {"IP", "MAC"}); });
    };
    CHECK(cni::parse_args("", {"IP"}).empty());
    CHECK(cni::parse_args("IP=10.0.0.1;MAC=x", {"IP", "MAC"}) ==
          std::map<std::string, std::string>{{"IP", "10.0.0.1"}, {"MAC", "x"}});
    CHECK(cni::parse_args("K8S_POD_NAME=p;IP=1;IgnoreUnknown=TRUE", {"IP"}).at("IP") == "1");
    CHECK(cni::parse_args("IgnoreUnknown=0", {}).empty());
    CHECK(failure("IP=1;") == R"(999 ARGS: invalid pair "")");
    CHECK(failure(";") == R"(999 ARGS: invalid pair "")");
    CHECK(failure("IP") == R"(999 ARGS: invalid pair "IP")");
    CHECK(failure("IP=a=b") == R"(999 ARGS: invalid pair "IP=a=b")");
    CHECK(failure("a=1;IP=2;b=3") == R"(999 ARGS: unknown args ["a=1" "b=3"])");
    CHECK(failure("ip=2") == R"(999 ARGS: unknown args ["ip=2"])");
    CHECK(failure("a=1;IgnoreUnknown=false") == R"(999 ARGS: unknown args ["a=1"])");
    CHECK(failure("IgnoreUnknown=x") ==
          R"(999 ARGS: error parsing value of pair "IgnoreUnknown=x": boolean unmarshal error: invalid input x)");
    CHECK(failure("IgnoreUnknown=T") ==
          R"(999 ARGS: error parsing value of pair "IgnoreUnknown=T": boolean unmarshal error: invalid input t)");
}

// ---- versions

TEST_CASE("versions compare by number, and malformed ones are told in Go's words") {
    using cni::Version;
    CHECK(Version::parse("1.10.0") > Version::parse("1.9"));
    CHECK(Version::parse("1") == Version::parse("1.0.0"));
    CHECK(Version::parse("") == Version::parse("0.1.0"));
    const auto failure = [](std::string_view text) { return thrown([&] { return Version::parse(text); }); };
    CHECK(failure("abc") ==
          R"(6 failed to convert major version part "abc": strconv.Atoi: parsing "abc": invalid syntax)");
    CHECK(failure("1.") == R"(6 failed to convert minor version part "": strconv.Atoi: parsing "": invalid syntax)");
    CHECK(failure("1.2.x") ==
          R"(6 failed to convert micro version part "x": strconv.Atoi: parsing "x": invalid syntax)");
    CHECK(
        failure("99999999999999999999") ==
        R"(6 failed to convert major version part "99999999999999999999": strconv.Atoi: parsing "99999999999999999999": value out of range)");
    CHECK(failure("1.2.3.4") == R"(6 invalid version "1.2.3.4": too many parts)");
    CHECK(cni::supported_versions().size() == 7);
}

// ---- names and errors

TEST_CASE("an owner is named by network, container and interface") {
    CHECK(cni::owner("net", "c1", "eth0") == "net/c1/eth0");
    const std::string longest(118, 'c'); // 3 + 1 + 118 + 1 + 4 is 127
    CHECK(cni::owner("net", longest + "c", "eth0") == "net/" + longest + "c/eth0");
    CHECK(cni::owner("unit-test", std::string(200, 'c'), "eth0").starts_with("#6fd94d501e58f0aa-"));
    CHECK(cni::owner("unit-test", std::string(200, 'c'), "eth0").size() == 34);
    CHECK(cni::OwnersOf("net").contain("net/c1/eth0"));
    CHECK(!cni::OwnersOf("net").contain("net2/c1/eth0"));
    CHECK(!cni::OwnersOf("net").contain("net"));
    CHECK(cni::OwnersOf("unit-test").contain(cni::owner("unit-test", std::string(200, 'c'), "eth0")));
    CHECK(!cni::OwnersOf("net").contain(cni::owner("unit-test", std::string(200, 'c'), "eth0")));
}

TEST_CASE("valid attachments come from either spelling of the key") {
    cni::Invocation call;
    call.network = "n";
    CHECK(call.valid_owners().empty());
    call.config =
        Object::parse(R"({"cni.dev/attachments":[{"containerID":"b","ifname":"e"},{"containerID":"a","ifname":"e"}]})");
    CHECK(call.valid_owners() == std::vector<std::string>{"n/a/e", "n/b/e"});
    const auto is_stale = call.stale_owners();
    CHECK(is_stale("n/c/e"));
    CHECK_FALSE(is_stale("n/b/e"));
    CHECK_FALSE(is_stale("m/c/e")); // of another network
    call.config = Object::parse(R"({"cni.dev/attachments":[{"containerID":"b"}],"cni.dev/valid-attachments":[]})");
    CHECK(call.valid_owners().empty());
}

TEST_CASE("a tear-down goes on after an error and tells them all") {
    cni::Errors errors;
    CHECK_NOTHROW(errors.throw_if_any());
    errors.collect([] {});
    errors.collect([] { throw cni::Error(Code::try_again_later, "first", "because"); });
    errors.collect([] { throw os::Error(EPERM, "delete", "link"); });
    errors.collect([] { throw cni::Error(Code::plugin, "third", "of three"); });
    CHECK(thrown([&] {
              errors.throw_if_any();
              return 0;
          }) == "11 first|because; delete link: operation not permitted; third; of three");
}

TEST_CASE("the base keys of every plugin are type-checked") {
    const auto failure = [](std::string_view json) {
        return thrown([&] { return cni::read_net_conf(Object::parse(json)); });
    };
    CHECK(failure(R"({"type":5})") == R"(999 key "type" is a number (5): must be a string)");
    CHECK(failure(R"({"capabilities":{"mac":"yes"}})") ==
          R"(999 key "capabilities.mac" is a string ("yes"): must be true or false)");
    CHECK(failure(R"({"ipam":[]})") == R"(999 key "ipam" is a list: must be an object)");
    CHECK(failure(R"({"ipam":{"type":1}})") == R"(999 key "ipam.type" is a number (1): must be a string)");
    CHECK(failure(R"({"dns":{"search":"x"}})") ==
          R"(999 key "dns.search" is a string ("x"): must be a list of strings)");
    CHECK(failure(R"({"prevResult":"x"})") == R"(999 key "prevResult" is a string ("x"): must be an object)");
    CHECK(failure(R"({"cni.dev/valid-attachments":[{"ifname":1}]})") ==
          R"(999 key "cni.dev/valid-attachments[0].ifname" is a number (1): must be a string)");
    const cni::NetConf conf =
        cni::read_net_conf(Object::parse(R"({"ipam":{"type":"host-local"},"dns":{"options":[]}})"));
    CHECK(conf.ipam_type == "host-local");
    CHECK(conf.dns_set);
    CHECK(!cni::read_net_conf(Object::parse(R"({"dns":{"domain":""}})")).dns_set);
    CHECK(cni::read_net_conf(Object::parse(R"({"dns":{"domain":"a"}})")).dns_set);
}

// ---- run(): environment

TEST_CASE("missing variables are told together, in the order of the table") {
    const std::string all = "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing";
    check_fails({{"CNI_COMMAND", "ADD"}}, "", error_json(4, all));
    check_fails({{"CNI_COMMAND", "CHECK"}}, "", error_json(4, all));
    check_fails({{"CNI_COMMAND", "DEL"}}, "",
                error_json(4, "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing"));
    check_fails({{"CNI_COMMAND", "GC"}}, "", error_json(4, "required env variables [CNI_PATH] missing"));
    check_fails({{"CNI_COMMAND", "STATUS"}}, "", error_json(4, "required env variables [CNI_PATH] missing"));
    check_fails(with({{"CNI_COMMAND", "ADD"}, {"CNI_NETNS", ""}}), good,
                error_json(4, "required env variables [CNI_NETNS] missing"));
}

TEST_CASE("an invalid value is told before missing ones") {
    check_fails({{"CNI_COMMAND", "ADD"}, {"CNI_IFNAME", "a/b"}}, "",
                error_json(4, "interface name contains / or : or whitespace characters"));
}

TEST_CASE("container IDs and interface names are checked") {
    for (const std::string id : {"-a", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "../x"}) {
        const Outcome outcome = run(with({{"CNI_COMMAND", "DEL"}, {"CNI_CONTAINERID", id}}), good);
        CHECK_MESSAGE(
            outcome.out.starts_with(
                "{\n    \"code\": 4,\n    \"msg\": \"invalid characters in containerID\",\n    \"details\": "),
            id);
    }
    const std::string spaces = error_json(4, "interface name contains / or : or whitespace characters");
    const std::string ours = error_json(4, "interface name contains % or a control byte");
    const std::vector<std::pair<std::string, std::string>> names{
        {"sixteen-bytes-12",
         error_json(4, "interface name is too long", "interface name should be less than 16 characters")},
        {".", error_json(4, "interface name is . or ..")},
        {"..", error_json(4, "interface name is . or ..")},
        {"a/b", spaces},
        {"a:b", spaces},
        {"a b", spaces},
        {"a\tb", spaces},
        {"a\xc2\xa0", spaces},
        {"a\xe3\x80\x80", spaces},
        {"eth%d", ours},
        {"a\x01", ours},
        {"a\x7f", ours},
    };
    for (const auto& [name, document] : names)
        check_fails(with({{"CNI_COMMAND", "DEL"}, {"CNI_IFNAME", name}}), good, document);
    CHECK(run(with({{"CNI_COMMAND", "DEL"}, {"CNI_IFNAME", "fifteen-bytes-1"}, {"CNI_CONTAINERID", "A_b.c-9"}}), good)
              .status == 0);
}

TEST_CASE("GC and STATUS do not look at an attachment's variables") {
    const Outcome outcome = run(with({{"CNI_COMMAND", "STATUS"}, {"CNI_CONTAINERID", "/"}, {"CNI_IFNAME", "/"}}), good);
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "STATUS");
    CHECK(outcome.out.empty());
}

// ---- run(): stdin

TEST_CASE("the config is decoded and its network name checked before the verb is looked at") {
    check_fails(with({{"CNI_COMMAND", "BOGUS"}}), "",
                error_json(6, "error unmarshall network config: unexpected end of JSON input"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), "{",
                error_json(6, "error unmarshall network config: unexpected end of JSON input at line 1 column 2"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), "[]",
                error_json(6, "error unmarshall network config: the document is a list: must be an object"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), R"({"name":5})",
                error_json(6, R"(error unmarshall network config: key \"name\" is a number (5): must be a string)"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), "null", error_json(7, "missing network name"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), R"({"name":""})", error_json(7, "missing network name"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), R"({"name":"a/b"})",
                error_json(7, "invalid characters found in network name", "a/b"));
    check_fails(with({{"CNI_COMMAND", "BOGUS"}}), good, error_json(4, "unknown CNI_COMMAND: BOGUS"));
    check_fails(with({{"CNI_COMMAND", "add"}}), good, error_json(4, "unknown CNI_COMMAND: add"));
    check_fails(with({{"CNI_COMMAND", "ADD"}}), std::string(std::size_t{5} << 20, ' '),
                error_json(6, "error unmarshall network config: input is larger than 4194304 bytes"));
}

// ---- run(): versions

TEST_CASE("a version the plugin does not speak is refused") {
    const std::string list =
        R"(plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"])";
    const auto config = [](const std::string& version) { return R"({"name":"n","cniVersion":")" + version + "\"}"; };
    for (const std::string version : {"1.2.0", "abc", "1.0", "1.2.3.4"})
        check_fails(with({{"CNI_COMMAND", "ADD"}}), config(version),
                    error_json(1, "incompatible CNI versions", os::cat(R"(config is \")", version, R"(\", )", list)));
    check_fails(
        with({{"CNI_COMMAND", "DEL"}}), R"({"name":"n","cniVersion":5})",
        error_json(6, R"(decoding version from network config: key \"cniVersion\" is a number (5): must be a string)"));
    check_fails(with({{"CNI_COMMAND", "CHECK"}}), config("0.3.1"),
                error_json(1, "config version does not allow CHECK"));
    check_fails(with({{"CNI_COMMAND", "CHECK"}}), config("1.2.0"),
                error_json(1, "plugin version does not allow CHECK"));
    check_fails(with({{"CNI_COMMAND", "CHECK"}}), config("0.5.0"),
                error_json(1, "incompatible CNI versions", "config is \\\"0.5.0\\\", " + list));
    check_fails(
        with({{"CNI_COMMAND", "CHECK"}}), config("abc"),
        error_json(6,
                   R"(failed to convert major version part \"abc\": strconv.Atoi: parsing \"abc\": invalid syntax)"));
    check_fails(with({{"CNI_COMMAND", "GC"}}), config("1.0.0"), error_json(1, "config version does not allow GC"));
    check_fails(with({{"CNI_COMMAND", "STATUS"}}), config("1.0.0"),
                error_json(1, "config version does not allow STATUS"));
    check_fails(with({{"CNI_COMMAND", "STATUS"}}), config("1.2.0"),
                error_json(1, "plugin version does not allow STATUS"));
    check_fails(with({{"CNI_COMMAND", "CHECK"}}), R"({"name":"n"})",
                error_json(1, "config version does not allow CHECK"));
}

TEST_CASE("a plugin may speak fewer versions") {
    static constexpr std::string_view few[] = {"0.4.0", "1.0.0"};
    cni::Plugin plugin = test_plugin;
    plugin.versions = few;
    CHECK(run(with({{"CNI_COMMAND", "DEL"}}), R"({"name":"n","cniVersion":"0.3.1"})", plugin).out ==
          error_json(1, "incompatible CNI versions", R"(config is \"0.3.1\", plugin supports [\"0.4.0\" \"1.0.0\"])"));
    CHECK(run(with({{"CNI_COMMAND", "GC"}}), R"({"name":"n","cniVersion":"1.1.0"})", plugin).out ==
          error_json(1, "plugin version does not allow GC"));
    CHECK(run({{"CNI_COMMAND", "VERSION"}}, "", plugin).out ==
          "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\"]}\n");
}

TEST_CASE("VERSION needs nothing and reads nothing") {
    const Outcome outcome = run({{"CNI_COMMAND", "VERSION"}, {"CNI_IFNAME", "/"}}, "not JSON");
    CHECK(outcome.status == 0);
    CHECK(outcome.out ==
          R"({"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]})"
          "\n");
}

TEST_CASE("without a command the plugin says what it is") {
    const Outcome outcome = run({{"CNI_IFNAME", "/"}}, "");
    CHECK(outcome.status == 0);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("CNI test plugin v"));
    CHECK(
        outcome.err.ends_with("\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n"));
}

TEST_CASE("--version names suite version, commit and licences") {
    const Outcome outcome = run({{"CNI_COMMAND", "ADD"}}, "", test_plugin, memfd_create("out", 0), {"--version"});
    CHECK(outcome.status == 0);
    CHECK(outcome.out.starts_with("test (cnative) "));
    CHECK(outcome.out.find(", commit ") != std::string::npos);
    CHECK(outcome.out.find("\nApache-2.0") != std::string::npos);
}

// ---- run(): verbs

TEST_CASE("each verb calls its own function, and a missing one succeeds silently") {
    for (const std::string verb : {"DEL", "CHECK", "STATUS"}) {
        const Outcome outcome = run(with({{"CNI_COMMAND", verb}}), good);
        CHECK(outcome.status == 0);
        CHECK(outcome.err == verb);
        CHECK(outcome.out.empty());
    }
    const Outcome outcome = run(with({{"CNI_COMMAND", "GC"}}), good);
    CHECK(outcome.status == 0);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.empty());
}

TEST_CASE("the host's own namespace is refused before anything is done") {
    const std::string same = error_json(8, "plugin's netns and netns from CNI_NETNS should not be the same");
    for (const std::string verb : {"ADD", "DEL"}) {
        check_fails(with({{"CNI_COMMAND", verb}, {"CNI_NETNS", "/proc/self/ns/net"}}), good, same);
        check_fails(with({{"CNI_COMMAND", verb}, {"CNI_NETNS", "/proc/self/ns/net"}, {"CNI_NETNS_OVERRIDE", "0"}}),
                    good, same);
    }
    CHECK(run(with({{"CNI_COMMAND", "CHECK"}, {"CNI_NETNS", "/proc/self/ns/net"}}), good).status == 0);
    for (const std::string yes : {"1", "true", "TRUE", "True"})
        CHECK(run(with({{"CNI_COMMAND", "DEL"}, {"CNI_NETNS", "/proc/self/ns/net"}, {"CNI_NETNS_OVERRIDE", yes}}), good)
                  .err == "DEL");
    check_fails(
        with({{"CNI_COMMAND", "ADD"}, {"CNI_NETNS", "/proc/self/ns/net"}}), R"({"name":"n","cniVersion":"9.0.0"})",
        run(with({{"CNI_COMMAND", "ADD"}}), R"({"name":"n","cniVersion":"9.0.0"})").out); // the version is judged first
}

TEST_CASE("a result is written and the undo list forgotten") {
    const Outcome outcome = run(with({{"CNI_COMMAND", "ADD"}}), good);
    CHECK(outcome.status == 0);
    CHECK(outcome.out == R"({
    "cniVersion": "1.1.0",
    "ips": [
        {
            "address": "10.0.0.2/24"
        }
    ]
})");
    CHECK(outcome.err == "committed\n");
}

TEST_CASE("whatever goes wrong in ADD is undone and told in one document") {
    const auto add = [](const std::string& mode) {
        return run(with({{"CNI_COMMAND", "ADD"}}), R"({"cniVersion":"0.2.0","name":"n","mode":")" + mode + "\"}");
    };
    const std::vector<std::pair<std::string, std::string>> table{
        {"error", error_json(11, "try later", "why")},
        {"full", error_json(5, "write lease: no space left on device")},
        {"denied", error_json(999, "write lease: operation not permitted")},
        {"odd", error_json(999, "unknown failure")},
        {"layer2", error_json(999, "cannot convert: no valid IP addresses")},
        {"late signal", error_json(999, "interrupted by signal 2 (SIGINT): everything done by this call was undone")},
        {"signal", error_json(999, "interrupted by signal 15 (SIGTERM)", "second thing: stuck")},
    };
    for (const auto& row : table) {
        const Outcome outcome = add(row.first);
        CHECK_MESSAGE(outcome.status == 1, row.first);
        CHECK_MESSAGE(outcome.out == row.second, row.first);
        CHECK_MESSAGE(outcome.err == "undone\n", row.first);
    }
    for (const std::string mode : {"crash", "overflow"}) {
        const Outcome outcome = add(mode);
        CHECK_MESSAGE(outcome.status == 1, mode);
        CHECK_MESSAGE(
            outcome.out ==
                error_json(999,
                           "the test plugin crashed: this is a bug in it; a DEL removes what this call may have left"),
            mode);
    }
}

TEST_CASE("an ADD whose result nobody can read is undone") {
    const int full = open("/dev/full", O_WRONLY);
    REQUIRE(full >= 0);
    const Outcome outcome = run(with({{"CNI_COMMAND", "ADD"}}), good, test_plugin, full, {});
    CHECK(outcome.status == 1);
    CHECK(outcome.err == "undone\ntest: warning: the result could not be written to stdout, everything was undone\n");
}

TEST_CASE("a broken prevResult is told, or counts as none") {
    cni::Invocation call;
    call.version = "1.0.0";
    CHECK(!call.prev_result());
    call.config = Object::parse(R"({"prevResult":{"cniVersion":"0.4.0"}})");
    CHECK(
        thrown([&] { return call.prev_result(); }) ==
        R"(999 could not parse prevResult: result type supports [1.0.0 1.1.0] but unmarshalled CNIVersion is "0.4.0")");
    CHECK(!call.prev_result_leniently());
    call.config = Object::parse(R"({"prevResult":{"ips":[{"address":"10.0.0.1"}]}})");
    CHECK(
        thrown([&] { return call.prev_result(); }) ==
        R"(999 could not parse prevResult: key "prevResult.ips[0].address" is a string ("10.0.0.1"): must be an IP address with a prefix length, such as 10.1.2.3/24)");
}

TEST_SUITE_END();
