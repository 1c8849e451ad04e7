// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "contestant.h"
#include "goals.h"
#include "plots.h"
#include "report.h"

namespace bench {

struct Options {
    bool quick = false;
    std::string ours, go, floor, report, plots;
    [[nodiscard]] int rounds(int full) const { return quick ? std::max(5, full / 10) : full; }
};

/// The whole run: bench.cpp measures, figures.cpp writes.
class Bench {
  public:
    explicit Bench(const Options& options);
    void startup();
    void chain();
    void leases();
    void mappings();
    void parallel();
    void traffic();
    void traces();
    void memory();
    void write();

  private:
    struct Trace {
        std::string table_cells;
        int requests = 0, dumps = 0;
        double bytes = 0, bytes_busy = 0;
    };
    struct Peak {
        std::string call;
        std::map<std::string, long> kib;
    };

    void add(const std::string& name, const std::string& folder, bool is_floor = false);
    /// Those of `wanted` that take part.
    [[nodiscard]] std::vector<std::string> names(const std::vector<std::string>& wanted) const;
    [[nodiscard]] std::vector<std::string> suites() const { return names({"ours", "glibc", "Go", "peer"}); }
    [[nodiscard]] std::vector<std::string> all() const { return names({"ours", "glibc", "Go", "peer", "floor"}); }
    Sample run(const std::string& name, const std::string& step) { return contestants_.at(name)->run(step); }
    /// ADD and DEL in turns, into two cases of mappings_.
    void measure_mapping(const std::string& words, const std::vector<std::string>& who, const std::string& step,
                         int rounds);
    void measure_connections(const std::string& words, const std::vector<std::string>& who);
    Trace trace(const std::string& name);
    /// Whether the floor program makes what we make.
    std::string equivalence();

    [[nodiscard]] const Case& find(const std::string& name) const;
    [[nodiscard]] double ratio(const std::string& name, const std::string& other) const;
    /// Ours against ours, the worse of ADD and DEL: `{}` stands for the verb.
    [[nodiscard]] double growth(const std::string& plugin, const std::string& with, const std::string& without) const;
    [[nodiscard]] std::vector<Goal> goals() const;
    [[nodiscard]] std::string size_table() const;
    [[nodiscard]] std::string figures() const;
    /// ADD and DEL of each suite against the number in the names of cases: before_verb, verb, before_number, number,
    /// suffix; or number, suffix, verb.
    [[nodiscard]] std::vector<Series> lines(const std::vector<Case>& cases, const std::string& before_verb,
                                            const std::string& before_number, const std::string& suffix) const;
    void plots() const;

    Options options_;
    std::map<std::string, std::unique_ptr<Contestant>> contestants_;
    std::string equivalence_;
    std::vector<Case> startup_, chain_, leases_, mappings_, parallel_, fewer_, connections_, throughput_;
    std::map<std::string, Trace> traces_;
    std::vector<Peak> peaks_;
    int duplicates_ = 0;
};

} // namespace bench
