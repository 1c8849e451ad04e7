// SPDX-License-Identifier: Apache-2.0
// bench [--quick] OUR-BIN GO-BIN FLOOR-BIN REPORT.md PLOT-FOLDER: measures the contestants, taking turns call by call,
// and writes the figures into the report, between its two marker lines. GLIBC_BIN_DIR may name our plugins linked to
// glibc, PEER_BIN_DIR a further suite.
#include "bench.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "steps.h"

namespace bench {

Bench::Bench(const Options& options) : options_(options) {
    add("ours", options.ours);
    if (const char* glibc = std::getenv("GLIBC_BIN_DIR"))
        add("glibc", glibc);
    add("Go", options.go);
    if (const char* peer = std::getenv("PEER_BIN_DIR"))
        add("peer", peer);
    add("floor", options.floor, true);
    for (const auto& [name, contestant] : contestants_)
        contestant->run("prepare");
}

void Bench::add(const std::string& name, const std::string& folder, bool is_floor) {
    const Kind kind = is_floor ? Kind::floor : Kind::plugins;
    contestants_.emplace(name, std::make_unique<Contestant>(name, folder, steps(kind, options_.ours, options_.floor)));
}

std::vector<std::string> Bench::names(const std::vector<std::string>& wanted) const {
    std::vector<std::string> there;
    for (const std::string& name : wanted) {
        if (contestants_.contains(name))
            there.push_back(name);
    }
    return there;
}

void Bench::startup() {
    for (const std::string& plugin : plugins_in(options_.ours)) {
        Case one("VERSION, " + plugin);
        for (int round = 0; round < options_.rounds(200); ++round) {
            for (const std::string& name : all())
                one.add(name, run(name, "version " + plugin));
        }
        startup_.push_back(one);
    }
}

void Bench::chain() {
    Case add("chain ADD"), del("chain DEL"),
        parts[4] = {Case("– bridge ADD"), Case("– portmap ADD"), Case("– portmap DEL"), Case("– bridge DEL")};
    const std::string steps[4] = {"bridge ADD", "portmap ADD", "portmap DEL", "bridge DEL"};
    // How long the kernel takes to delete a link scatters from 9 to 30 ms: a hundred rounds tell the median to 6 %. For
    // the suites that take a third of a second a round they are enough.
    const int few = options_.rounds(100), many = options_.rounds(400);
    for (int round = 0; round < many; ++round) {
        for (const std::string& name : all()) {
            if (round >= few && (name == "Go" || name == "peer"))
                continue;
            Sample samples[4];
            for (int i = 0; i < 4; ++i)
                parts[i].add(name, samples[i] = run(name, steps[i]));
            add.add(name, samples[0] += samples[1]);
            del.add(name, samples[2] += samples[3]);
        }
    }
    chain_ = {add, del, parts[0], parts[1], parts[2], parts[3]};
    equivalence_ = equivalence();
}

namespace {

// Where the container lives, which the floor program does not write down.
std::string without_notes(std::string state) {
    const std::string owner = "comment \"bench/c1/eth0";
    for (auto at = state.find(owner + " "); at != std::string::npos; at = state.find(owner + " ", at + 1))
        state.erase(at + owner.size(), state.find('"', at + owner.size()) - at - owner.size());
    return state;
}

} // namespace

std::string Bench::equivalence() {
    std::string states[2];
    for (int i = 0; i < 2; ++i) {
        const std::string name = i == 0 ? "ours" : "floor";
        for (const std::string step :
             {"first address", "bridge ADD", "portmap ADD", "state", "portmap DEL", "bridge DEL"})
            run(name, step);
        std::ifstream file("/tmp/cnative-bench-state");
        states[i] = without_notes(std::string(std::istreambuf_iterator<char>(file), {}));
    }
    if (states[0].size() < 100)
        return "could not be compared";
    return states[0] == states[1] ? "equal, but for the note behind the owner in the comment of portmap's record"
                                  : "DIFFERENT\n" + states[0] + "\n" + states[1];
}

// The pools take turns, so that their growth is told apart from the machine's moods. The suites do not: one that reads
// the whole pool empties the processor's caches for whoever comes next.
void Bench::leases() {
    const std::vector<std::pair<std::string, std::string>> pools = {
        {"pool0", "0 leases in a /16"},         {"pool1000", "1000 leases in a /16"},
        {"pool10000", "10000 leases in a /16"}, {"pool60000", "60000 leases in a /16"},
        {"poolfull", "a /16 with 10 free"},     {"poolsix", "60000 leases in a /64"}};
    for (const auto& [pool, words] : pools) {
        leases_.emplace_back("host-local ADD, " + words);
        leases_.emplace_back("host-local DEL, " + words);
    }
    for (const std::string& name : suites()) {
        for (const auto& [pool, words] : pools)
            run(name, pool + " fill");
        // A full directory takes the Go suite most of a second a call.
        const bool reads_all = name != "ours" && name != "glibc";
        for (int round = 0; round < options_.rounds(reads_all ? 30 : 100); ++round) {
            for (std::size_t i = 0; i < pools.size(); ++i) {
                leases_[2 * i].add(name, run(name, pools[i].first + " add"));
                leases_[2 * i + 1].add(name, run(name, pools[i].first + " del"));
            }
        }
    }
}

void Bench::measure_mapping(const std::string& words, const std::vector<std::string>& who, const std::string& step,
                            int rounds) {
    Case add("portmap ADD, " + words), del("portmap DEL, " + words);
    for (int round = 0; round < options_.rounds(rounds); ++round) {
        for (const std::string& name : who) {
            add.add(name, run(name, step + " ADD"));
            del.add(name, run(name, step + " DEL"));
        }
    }
    mappings_.push_back(add);
    mappings_.push_back(del);
}

void Bench::measure_connections(const std::string& words, const std::vector<std::string>& who) {
    Case one("first packet to answer, " + words);
    for (const std::string& name : who) {
        for (const std::string step : {"first address", "bridge ADD", "portmap ADD", "serve"})
            run(name, step);
    }
    for (int round = 0; round < options_.rounds(200); ++round) {
        for (const std::string& name : who)
            one.add(name, run(name, "connect"));
    }
    for (const std::string& name : who) {
        for (const std::string step : {"stop serving", "portmap DEL", "bridge DEL"})
            run(name, step);
    }
    connections_.push_back(one);
}

void Bench::mappings() {
    for (const std::string& name : suites())
        run(name, "outside");
    measure_mapping("no other mapping", suites(), "portmap", 50);
    measure_connections("the only mapping", suites());
    measure_mapping("200 ports of one container", {"ours"}, "200 ports", 20);
    measure_mapping("a range of 10000 ports", {"ours"}, "range", 50);
    for (const int count : {500, 2000, 10000}) {
        const std::string fill = "map " + std::to_string(count), words = std::to_string(count) + " mappings";
        // Rules grow the Go suite's time linearly: ten thousand would take minutes to make.
        const auto who = count == 500 && !options_.quick ? suites() : names({"ours"});
        for (const std::string& name : who)
            run(name, fill + " ADD");
        measure_mapping(words + " present", who, "portmap", 50);
        if (count != 2000)
            measure_connections("the last of " + words, who);
        for (const std::string& name : who)
            run(name, fill + " DEL");
    }
    run("ours", options_.quick ? "foreign small" : "foreign");
    measure_mapping(options_.quick ? "20,000 foreign rules, 100,000 elements"
                                   : "200,000 foreign rules, 1,000,000 elements",
                    {"ours"}, "portmap", 50);
    run("ours", "no foreign");
}

void Bench::parallel() {
    for (const std::string& name : suites())
        run(name, "crowd");
    for (const std::string where : {"one bridge", "own bridges"}) {
        for (const std::string verb : {"ADD", "DEL"})
            parallel_.emplace_back(std::to_string(parallel_calls) + " bridge " + verb + " at once, " + where);
        const std::size_t at = parallel_.size() - 2;
        const int rounds = options_.quick ? 1 : 5;
        for (int round = 0; round < rounds; ++round) {
            for (const std::string& name : suites()) {
                parallel_[at].add(name, run(name, where + " ADD"));
                if (name == "ours")
                    duplicates_ += run(name, "duplicates").failures;
                parallel_[at + 1].add(name, run(name, where + " DEL"));
            }
        }
    }
    for (const int size : fewer_calls) {
        const std::string step = std::to_string(size) + " at once ";
        Case add(step + "ADD"), del(step + "DEL");
        for (int round = 0; round < (options_.quick ? 1 : 3); ++round) {
            for (const std::string& name : suites()) {
                add.add(name, run(name, step + "ADD"));
                del.add(name, run(name, step + "DEL"));
            }
        }
        fewer_.push_back(add);
        fewer_.push_back(del);
    }
}

void Bench::traffic() {
    Case out("TCP from the container to outside, masqueraded"), in("TCP from outside to the container, port-mapped");
    for (const std::string& name : suites()) {
        for (const std::string step : {"first address", "bridge ADD", "portmap ADD"})
            run(name, step);
    }
    // Often and short, a second each: which processors client and server get is decided anew each time, and decides
    // more than a tenth.
    for (int round = 0; round < (options_.quick ? 3 : 15); ++round) {
        for (const std::string& name : suites()) {
            out.add(name, run(name, "masqueraded"));
            in.add(name, run(name, "mapped"));
        }
    }
    for (const std::string& name : suites()) {
        run(name, "portmap DEL");
        run(name, "bridge DEL");
    }
    throughput_ = {out, in};
}

Bench::Trace Bench::trace(const std::string& name) {
    Trace trace;
    trace.bytes = run(name, "trace").bytes;
    const auto count = [](const std::string& awk) { return sh("awk '" + awk + "' /tmp/cnative-bench-trace"); };
    trace.table_cells =
        count("/ execve\\(/ && !/ENOENT/ {e++} /\\(/ && !/resumed/ {s++} END {printf \"%d | %d\", e, s}");
    // A request is a message to the kernel; a batch for nf_tables is one.
    trace.requests = std::atoi(count("/(sendto|sendmsg)\\(/ && /nlmsg|NFNL/ {n++} END {print n + 0}").c_str());
    trace.dumps = std::atoi(count("/(sendto|sendmsg)\\(/ && /NLM_F_DUMP/ {n++} END {print n + 0}").c_str());
    return trace;
}

void Bench::traces() {
    for (const std::string& name : all())
        traces_[name] = trace(name);
    for (const std::string& name : suites()) {
        run(name, "busy host");
        traces_[name].bytes_busy = run(name, "trace").bytes;
        run(name, "idle host");
    }
}

void Bench::memory() {
    std::vector<std::string> calls;
    for (const std::string& plugin : plugins_in(options_.ours))
        calls.push_back("version " + plugin);
    for (const std::string call : {"bridge ADD", "portmap ADD", "portmap DEL", "bridge DEL", "host-local ADD",
                                   "host-local DEL", "loopback ADD", "loopback DEL"})
        calls.push_back(call);
    for (const std::string& call : calls) {
        Peak peak{call, {}};
        for (const std::string& name : all())
            peak.kib[name] = run(name, "rss " + call).peak_kib;
        peaks_.push_back(peak);
    }
}

} // namespace bench

int main(int argc, char** argv) {
    bench::Options options;
    int at = 1;
    if (argc > 1 && std::strcmp(argv[1], "--quick") == 0) {
        options.quick = true;
        ++at;
    }
    if (argc != at + 5) {
        std::fputs("usage: bench [--quick] OUR-BIN GO-BIN FLOOR-BIN REPORT.md PLOT-FOLDER\n", stderr);
        return 2;
    }
    options.ours = argv[at];
    options.go = argv[at + 1];
    options.floor = argv[at + 2];
    options.report = argv[at + 3];
    options.plots = argv[at + 4];
    bench::Bench bench(options);
    using bench::Bench;
    for (const auto& [words, part] :
         {std::pair("start-up", &Bench::startup), std::pair("chain", &Bench::chain),
          std::pair("leases", &Bench::leases), std::pair("mappings", &Bench::mappings),
          std::pair("many at once", &Bench::parallel), std::pair("traffic", &Bench::traffic),
          std::pair("system calls", &Bench::traces), std::pair("memory", &Bench::memory)}) {
        const auto begin = std::chrono::steady_clock::now();
        (bench.*part)();
        std::fprintf(stderr, "bench: %s: %.0f s\n", words,
                     std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    bench.write();
}
