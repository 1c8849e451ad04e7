// SPDX-License-Identifier: Apache-2.0
// bench [--quick] OUR-BIN GO-BIN FLOOR-BIN REPORT.md PLOT-FOLDER: measures the contestants, taking turns call by call,
// and writes the figures into the report, between its two marker lines. PEER_BIN_DIR may name a further folder.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <unistd.h>

#include "report.h"
#include "steps.h"

using namespace bench;

namespace {

struct Options {
    bool quick = false;
    std::string ours, go, floor, report, plots;
    [[nodiscard]] int rounds(int full) const { return quick ? std::max(5, full / 10) : full; }
};

class Bench {
  public:
    explicit Bench(const Options& options) : options_(options) {
        add("ours", options.ours, Kind::plugins);
        add("Go", options.go, Kind::plugins);
        if (const char* peer = std::getenv("PEER_BIN_DIR"))
            add("peer", peer, Kind::plugins);
        add("floor", options.floor, Kind::floor);
        for (const auto& [name, contestant] : contestants_)
            contestant->run("prepare");
    }

    void startup() {
        for (const std::string plugin : {"bridge", "host-local", "portmap", "loopback"}) {
            Case one("VERSION, " + plugin);
            for (int round = 0; round < options_.rounds(200); ++round) {
                for (const std::string& name : names({"ours", "Go", "peer", "floor"}))
                    one.add(name, run(name, "version " + plugin));
            }
            startup_.push_back(one);
        }
    }

    void chain() {
        Case add("chain ADD"), del("chain DEL"),
            parts[4] = {Case("– bridge ADD"), Case("– portmap ADD"), Case("– portmap DEL"), Case("– bridge DEL")};
        const std::string steps[4] = {"bridge ADD", "portmap ADD", "portmap DEL", "bridge DEL"};
        for (int round = 0; round < options_.rounds(100); ++round) {
            for (const std::string& name : names({"ours", "Go", "peer", "floor"})) {
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

    void leases() {
        for (const std::string pool : {"pool0", "pool1000", "pool10000", "pool60000", "poolfull", "poolsix"}) {
            const std::string words = pool == "poolfull"  ? "a /16 with 10 free"
                                      : pool == "poolsix" ? "60000 leases in a /64"
                                                          : pool.substr(4) + " leases in a /16";
            Case add("host-local ADD, " + words), del("host-local DEL, " + words);
            // A full directory takes the Go suite most of a second a call.
            const int rounds = options_.rounds(pool == "pool0" || pool == "pool1000" ? 100 : 30);
            for (const std::string& name : names({"ours", "Go", "peer"}))
                run(name, pool + " fill");
            for (int round = 0; round < rounds; ++round) {
                for (const std::string& name : names({"ours", "Go", "peer"})) {
                    add.add(name, run(name, pool + " add"));
                    del.add(name, run(name, pool + " del"));
                }
            }
            leases_.push_back(add);
            leases_.push_back(del);
        }
    }

    void mappings() {
        measure_mapping("no other mapping", names({"ours", "Go", "peer"}));
        measure_many_ports();
        for (const int count : {500, 2000, 10000}) {
            const std::string fill = "map " + std::to_string(count);
            // Rules grow the Go suite's time linearly: ten thousand would take minutes to make.
            const auto who = count == 500 && !options_.quick ? names({"ours", "Go", "peer"}) : names({"ours"});
            for (const std::string& name : who)
                run(name, fill + " ADD");
            measure_mapping(std::to_string(count) + " mappings present", who);
            for (const std::string& name : who)
                run(name, fill + " DEL");
        }
        run("ours", options_.quick ? "foreign small" : "foreign");
        measure_mapping(options_.quick ? "20,000 foreign rules, 100,000 elements"
                                       : "200,000 foreign rules, 1,000,000 elements",
                        names({"ours"}));
        run("ours", "no foreign");
    }

    void parallel() {
        for (const std::string& name : names({"ours", "Go", "peer"}))
            run(name, "crowd");
        for (const std::string where : {"one bridge", "own bridges"}) {
            for (const std::string verb : {"ADD", "DEL"})
                parallel_.emplace_back(std::to_string(parallel_calls) + " bridge " + verb + " at once, " + where);
            const std::size_t at = parallel_.size() - 2;
            for (int round = 0; round < options_.rounds(5) / (options_.quick ? 5 : 1); ++round) {
                for (const std::string& name : names({"ours", "Go", "peer"})) {
                    parallel_[at].add(name, run(name, where + " ADD"));
                    parallel_[at + 1].add(name, run(name, where + " DEL"));
                }
            }
        }
    }

    // The floor program must make what we make, or the ratio means nothing.
    std::string equivalence() {
        std::string states[2];
        for (int i = 0; i < 2; ++i) {
            const std::string name = i == 0 ? "ours" : "floor";
            for (const std::string step :
                 {"first address", "bridge ADD", "portmap ADD", "state", "portmap DEL", "bridge DEL"})
                run(name, step);
            std::ifstream file("/tmp/cnative-bench-state");
            states[i] = std::string(std::istreambuf_iterator<char>(file), {});
        }
        if (states[0].size() < 100)
            return "could not be compared";
        return states[0] == states[1] ? "equal" : "DIFFERENT\n" + states[0] + "\n" + states[1];
    }

    std::string trace(const std::string& name) {
        run(name, "trace");
        return sh(
            "awk '/ execve\\(/ && !/ENOENT/ {e++} /(sendto|sendmsg)\\(/ {n++} /\\(/ && !/resumed/ {s++} END {printf "
            "\"%d | %d | %d\", e, s, n}' /tmp/cnative-bench-trace");
    }

    void write();

  private:
    void add(const std::string& name, const std::string& folder, Kind kind) {
        contestants_.emplace(name,
                             std::make_unique<Contestant>(name, folder, steps(kind, options_.ours, options_.floor)));
    }

    [[nodiscard]] std::vector<std::string> names(const std::vector<std::string>& wanted) const {
        std::vector<std::string> there;
        for (const std::string& name : wanted) {
            if (contestants_.contains(name))
                there.push_back(name);
        }
        return there;
    }

    Sample run(const std::string& name, const std::string& step) { return contestants_.at(name)->run(step); }

    void measure_mapping(const std::string& words, const std::vector<std::string>& who) {
        Case add("portmap ADD, " + words), del("portmap DEL, " + words);
        for (int round = 0; round < options_.rounds(50); ++round) {
            for (const std::string& name : who) {
                add.add(name, run(name, "portmap ADD"));
                del.add(name, run(name, "portmap DEL"));
            }
        }
        mappings_.push_back(add);
        mappings_.push_back(del);
    }

    void measure_many_ports() {
        Case add("portmap ADD, 200 ports of one container"), del("portmap DEL, 200 ports of one container");
        for (int round = 0; round < options_.rounds(20); ++round) {
            add.add("ours", run("ours", "200 ports ADD"));
            del.add("ours", run("ours", "200 ports DEL"));
        }
        mappings_.push_back(add);
        mappings_.push_back(del);
    }

    std::string memory() {
        std::string out = "| call | ours KiB | Go KiB | floor KiB |\n|---|---|---|---|\n";
        for (const std::string call :
             {"bridge ADD", "portmap ADD", "portmap DEL", "bridge DEL", "host-local ADD", "host-local DEL"}) {
            out += "| " + call + (call.starts_with("host") ? ", 60000 leases" : "") + " |";
            for (const std::string name : {"ours", "Go", "floor"})
                out += " " + std::to_string(run(name, "rss " + call).peak_kib) + " |";
            out += "\n";
        }
        return out;
    }
    [[nodiscard]] std::string sizes() const;
    void plots() const;

    Options options_;
    std::map<std::string, std::unique_ptr<Contestant>> contestants_;
    std::string equivalence_;
    std::vector<Case> startup_, chain_, leases_, mappings_, parallel_;
};

std::string Bench::sizes() const {
    std::string out = "| plugin | ours, bytes | Go, bytes |\n|---|---|---|\n";
    std::uintmax_t totals[2] = {0, 0};
    for (const auto& entry : std::filesystem::directory_iterator(options_.ours)) {
        const std::string name = entry.path().filename();
        const std::uintmax_t ours = entry.file_size(), go = std::filesystem::file_size(options_.go + "/" + name);
        totals[0] += ours;
        totals[1] += go;
        out += "| " + name + " | " + std::to_string(ours) + " | " + std::to_string(go) + " |\n";
    }
    return out + "| together | " + std::to_string(totals[0]) + " | " + std::to_string(totals[1]) + " |\n";
}

void Bench::plots() const {
    std::filesystem::create_directories(options_.plots);
    const auto save = [&](const std::string& name, const std::string& text) {
        std::ofstream(options_.plots + "/" + name) << text;
    };
    std::vector<Series> series;
    for (const std::string& name : names({"ours", "Go", "peer"})) {
        Series one{name + " ADD", {}};
        for (std::size_t i = 0; i < 8; i += 2)
            one.points.emplace_back(std::atof(leases_[i].name().substr(16).c_str()), leases_[i].median(name) / 1000);
        series.push_back(one);
    }
    save("leases.svg", line_plot("host-local ADD against leases in the pool", "leases", series));
    series.clear();
    for (const std::string& name : names({"ours", "Go", "peer"})) {
        Series one{name + " ADD", {}};
        for (const Case& mapping : mappings_) {
            const std::string prefix = "portmap ADD, ";
            const std::string words = mapping.name().substr(prefix.size());
            if (!mapping.name().starts_with(prefix) || !mapping.has(name) || words.find("ports of") != words.npos ||
                words.find("foreign") != words.npos)
                continue;
            one.points.emplace_back(std::atof(words.c_str()), mapping.median(name) / 1000);
        }
        series.push_back(one);
    }
    save("mappings.svg", line_plot("portmap ADD against mappings present", "mappings", series));
    std::vector<Bar> bars;
    for (const std::string& name : names({"ours", "Go", "peer", "floor"})) {
        Bar bar{name, {}};
        for (std::size_t i = 2; i < 6; ++i)
            bar.parts.emplace_back(chain_[i].name().substr(4), chain_[i].median(name) / 1000);
        bars.push_back(bar);
    }
    save("chain.svg", bar_chart("One container: ADD and DEL of the chain", bars));
}

void Bench::write() {
    const auto all = names({"ours", "Go", "peer", "floor"});
    std::string figures = "Measured on " + sh("date +%F | tr -d '\\n'") + ": " + sh("nproc | tr -d '\\n'") +
                          " cores, Linux " + sh("uname -r | cut -d. -f1-2 | tr -d '\\n'") +
                          (options_.quick ? ", short form.\n" : ".\n");
    figures += "\n### Start-up\n\n" + table(startup_, all);
    figures +=
        "\n### The chain: bridge, host-local, masquerade, portmap with one port, dual stack\n\n" + table(chain_, all);
    figures += "\nWhat the floor program makes, compared with what ours makes: " + equivalence_ + ".\n";
    figures += "\n### Leases\n\n" + table(leases_, names({"ours", "Go", "peer"}));
    figures += "\n### Port mappings\n\n" + table(mappings_, names({"ours", "Go", "peer"}));
    figures += "\n### Many at once\n\n" + table(parallel_, names({"ours", "Go", "peer"}));
    figures +=
        "\n### One bridge ADD under strace\n\n| | programs | system calls | netlink requests |\n|---|---|---|---|\n";
    for (const std::string& name : all)
        figures += "| " + name + " | " + trace(name) + " |\n";
    figures += "\n### Peak resident memory\n\n" + memory();
    figures += "\n### Size\n\n" + sizes();
    if (!options_.quick)
        plots();

    const std::string begin = "<!-- figures -->\n", end = "<!-- end of figures -->";
    std::ifstream in(options_.report);
    std::string report((std::istreambuf_iterator<char>(in)), {});
    const auto from = report.find(begin), to = report.find(end);
    if (options_.quick || from == std::string::npos || to == std::string::npos) {
        std::fputs(figures.c_str(), stdout);
        return;
    }
    report.replace(from + begin.size(), to - from - begin.size(), figures);
    std::ofstream(options_.report) << report;
    std::fputs(figures.c_str(), stdout);
}

} // namespace

int main(int argc, char** argv) {
    Options options;
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
    Bench bench(options);
    for (const auto& [words, part] : {std::pair("start-up", &Bench::startup), std::pair("chain", &Bench::chain),
                                      std::pair("leases", &Bench::leases), std::pair("mappings", &Bench::mappings),
                                      std::pair("many at once", &Bench::parallel)}) {
        const auto begin = std::chrono::steady_clock::now();
        (bench.*part)();
        std::fprintf(stderr, "bench: %s: %.0f s\n", words,
                     std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    bench.write();
}
