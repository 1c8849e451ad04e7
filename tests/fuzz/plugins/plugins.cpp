// SPDX-License-Identifier: Apache-2.0
// The plugins as a whole on random input, in namespaces of their own: each call ends with 0 or 1 and says exactly one
// JSON document or nothing, as its verb wants, and nothing is left of it: of a failed ADD at once, of another one after
// its DEL. cnative_fuzz_plugins [--inputs N] [--seed N]
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutate.h"
#include "world.h"

using namespace fuzz;

namespace {

constexpr unsigned batch_size = 500; // inputs for which a world is good
constexpr unsigned patience = 60;    // seconds for one call

std::string bin_dir() {
    const char* dir = std::getenv("CNI_BIN_DIR");
    return dir != nullptr ? dir : DEFAULT_BIN_DIR;
}

struct Answer {
    int status = 0; // of waitpid
    std::string out, err;
};

std::string content(int file) {
    std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
    if (pread(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        std::abort();
    return text;
}

Answer run(const Input& input) {
    const int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC),
              err = memfd_create("err", MFD_CLOEXEC);
    if (write(in, input.config.data(), input.config.size()) != static_cast<ssize_t>(input.config.size()))
        std::abort();
    lseek(in, 0, SEEK_SET);
    std::string variables[] = {"CNI_COMMAND=" + input.command, "CNI_CONTAINERID=" + input.id,
                               "CNI_NETNS=" + input.netns,     "CNI_IFNAME=" + input.ifname,
                               "CNI_ARGS=" + input.args,       "CNI_PATH=" + bin_dir()};
    char* environment[std::size(variables) + 1] = {};
    for (std::size_t i = 0; i < std::size(variables); ++i)
        environment[i] = variables[i].data();
    const std::string path = bin_dir() + "/" + input.plugin;
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0), dup2(out, 1), dup2(err, 2);
        alarm(patience);
        execle(path.c_str(), input.plugin.c_str(), nullptr, environment);
        _exit(127);
    }
    Answer answer;
    waitpid(pid, &answer.status, 0);
    answer.out = content(out), answer.err = content(err);
    close(in), close(out), close(err);
    return answer;
}

// What is wrong with an answer; empty: nothing.
std::string complaint(const Input& input, const Answer& answer) {
    if (!WIFEXITED(answer.status))
        return "ended by signal " + std::to_string(WTERMSIG(answer.status));
    const int status = WEXITSTATUS(answer.status);
    if (status > 1)
        return "exit status " + std::to_string(status);
    const bool silent = status == 0 && input.command != "ADD" && input.command != "VERSION";
    if (silent)
        return answer.out.empty() ? "" : "a word on stdout where there should be none";
    const json document = json::parse(answer.out, nullptr, false);
    if (!document.is_object())
        return "not one JSON object on stdout";
    if (status == 1 && (!document.contains("code") || !document["code"].is_number_unsigned() ||
                        !document.contains("msg") || !document["msg"].is_string()))
        return "an error without code or message";
    return {};
}

std::string found_files;

// Leases have addresses for names, tuning's saved states end in .json.
int note_file(const char* path, const struct stat* /*status*/, int type, struct FTW* place) {
    const std::string name = path + place->base;
    unsigned char address[16];
    if (type == FTW_F && (inet_pton(AF_INET, name.c_str(), address) == 1 ||
                          inet_pton(AF_INET6, name.c_str(), address) == 1 || name.ends_with(".json")))
        found_files += std::string(" ") + path;
    return 0;
}

// Names of files and links that belong to an attachment.
std::string leftovers() {
    found_files.clear();
    for (const char* folder : {"/run", "/var/lib/cni"})
        nftw(folder, note_file, 8, FTW_PHYS | FTW_MOUNT);
    std::string left = found_files;
    FILE* file = std::fopen("/proc/self/net/dev", "re");
    char line[512];
    while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
        const std::string text = line;
        for (const char* prefix : {"veth", "bwp"})
            if (const auto at = text.find(prefix);
                at != std::string::npos && text.find(":") - at >= 12 && text.find_first_not_of(' ') == at)
                left += " link " + text.substr(at, text.find(':') - at);
    }
    if (file != nullptr)
        std::fclose(file);
    return left;
}

// Nothing can be written but in folders of this world, whatever dataDir became.
void shut_in() {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes) != 0)
        std::perror("mount_setattr"), std::exit(3);
    attributes = {};
    attributes.attr_clr = MOUNT_ATTR_RDONLY;
    for (const char* folder : {"/run", "/var/lib/cni", "/proc"})
        if (mount_setattr(AT_FDCWD, folder, AT_RECURSIVE, &attributes, sizeof attributes) != 0)
            std::perror("mount_setattr"), std::exit(3);
    if (mkdir("/run/here", 0755) != 0 || chdir("/run/here") != 0)
        std::perror("shut in"), std::exit(3);
}

void tell(const Input& input, const Answer& answer, const std::string& what, std::uint64_t seed) {
    std::printf("FAIL seed %lu: %s\n  %s %s id=%s netns=%s ifname=%s args=%s\n  config: %s\n  out: %s\n  err: %s\n",
                static_cast<unsigned long>(seed), what.c_str(), input.plugin.c_str(), input.command.c_str(),
                input.id.c_str(), input.netns.c_str(), input.ifname.c_str(), input.args.c_str(), input.config.c_str(),
                answer.out.c_str(), answer.err.c_str());
}

struct Totals {
    std::atomic<unsigned> inputs, added, refused, failures, worlds;
};

// One input; whether all was well.
bool try_one(Random& random, std::uint64_t seed, Totals& totals) {
    Input input = make_input(random);
    Answer answer = run(input);
    std::string what = complaint(input, answer);
    if (what.empty() && WEXITSTATUS(answer.status) == 1)
        ++totals.refused;
    if (what.empty() && input.command == "ADD" && WEXITSTATUS(answer.status) == 0) {
        ++totals.added;
        input.command = "DEL";
        answer = run(input);
        what = complaint(input, answer);
        if (what.empty() && WEXITSTATUS(answer.status) != 0)
            what = "DEL after an ADD that succeeded";
    }
    if (what.empty()) {
        const std::string left = leftovers();
        what = left.empty() ? "" : "left:" + left;
    }
    ++totals.inputs;
    if (!what.empty())
        tell(input, answer, what, seed);
    return what.empty();
}

// Elements carry their owner, network/container/interface, as comment; a note may stand behind it.
bool elements_left(std::uint64_t seed) {
    const std::string left =
        test::sh("nft list ruleset | grep -E 'comment \"(#|[^/\"]+/[^/\"]+/[^/\" ]+[\" ])' || true");
    if (!left.empty())
        std::printf("FAIL seed %lu: elements left:\n%s", static_cast<unsigned long>(seed), left.c_str());
    return !left.empty();
}

[[noreturn]] void batch(std::uint64_t seed, unsigned inputs, Totals& totals) {
    test::World world;
    (void)world.netns("c1");
    test::sh("ip link add hostv type veth peer name tun0 netns c1; ip link set hostv up; "
             "ip -n c1 link set tun0 up");
    shut_in();
    Random random(seed);
    for (unsigned i = 0; i < inputs; ++i)
        if (!try_one(random, seed, totals)) {
            ++totals.failures;
            break; // what is left would be told again and again
        }
    if (elements_left(seed))
        ++totals.failures;
    ++totals.worlds;
    std::fflush(stdout);
    _exit(0);
}

} // namespace

int main(int argc, char** argv) {
    std::uint64_t inputs = 6000, seed = static_cast<std::uint64_t>(time(nullptr)) * 1000;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--inputs") == 0)
            inputs = std::strtoull(argv[i + 1], nullptr, 10);
        if (std::strcmp(argv[i], "--seed") == 0)
            seed = std::strtoull(argv[i + 1], nullptr, 10);
    }
    auto* totals =
        static_cast<Totals*>(mmap(nullptr, sizeof(Totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    unsigned running = 0, bad = 0, worlds = 0;
    const auto wait_for_one = [&] {
        int status = 0;
        wait(&status);
        bad += status != 0 ? 1 : 0;
        --running;
    };
    for (std::uint64_t left = inputs; left > 0;) {
        const auto size = static_cast<unsigned>(std::min<std::uint64_t>(left, batch_size));
        if (running == 2)
            wait_for_one();
        std::fflush(stdout);
        if (fork() == 0)
            batch(seed + worlds, size, *totals);
        ++running, ++worlds;
        left -= size;
    }
    while (running > 0)
        wait_for_one();
    const unsigned failures = totals->failures + bad;
    std::printf("%s   the plugins on random input, from seed %lu: %u inputs, %u ADDs succeeded, %u calls refused, "
                "in %u worlds\n",
                failures == 0 && totals->inputs >= inputs ? "ok" : "FAIL", static_cast<unsigned long>(seed),
                totals->inputs.load(), totals->added.load(), totals->refused.load(), totals->worlds.load());
    const bool fine = failures == 0 && totals->inputs >= inputs;
    std::printf("%d passed, %d failed\n", fine ? 1 : 0, fine ? 0 : 1);
    return fine ? 0 : 1;
}
