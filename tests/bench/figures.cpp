// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "steps.h"

namespace bench {

namespace {

std::string sized(double bytes) {
    return std::to_string(static_cast<long>(bytes));
}

std::uintmax_t total_of(const std::string& folder, const std::vector<std::string>& plugins) {
    std::uintmax_t total = 0;
    for (const std::string& plugin : plugins)
        total += std::filesystem::file_size(folder + "/" + plugin);
    return total;
}

/// Gbit/s of each contestant, and ours against each.
std::string throughput_table(const std::vector<Case>& cases, const std::vector<std::string>& who) {
    std::string out = "| Gbit/s, median |", rule = "|---|";
    for (const std::string& name : who) {
        out += " " + name + " |";
        rule += "---|";
    }
    std::vector<std::string> others;
    std::ranges::copy_if(who, std::back_inserter(others),
                         [](const auto& name) { return name == "Go" || name == "peer"; });
    for (const std::string& name : others) {
        out += " ours ÷ " + name + " |";
        rule += "---|";
    }
    out += " failed |\n" + rule + "---|\n";
    for (const Case& one : cases) {
        out += "| " + one.name() + " |";
        int failures = 0;
        char text[32];
        for (const std::string& name : who) {
            std::snprintf(text, sizeof text, " %.2f |", one.median_of(name, &Sample::gigabits));
            out += text;
            failures += one.failures(name);
        }
        for (const std::string& name : others) {
            std::snprintf(text, sizeof text, " %.3f |",
                          one.median_of("ours", &Sample::gigabits) / one.median_of(name, &Sample::gigabits));
            out += text;
        }
        out += " " + std::to_string(failures) + " |\n";
    }
    return out;
}

} // namespace

const Case& Bench::find(const std::string& name) const {
    for (const auto* cases :
         {&startup_, &chain_, &leases_, &mappings_, &parallel_, &fewer_, &connections_, &throughput_}) {
        for (const Case& one : *cases) {
            if (one.name() == name)
                return one;
        }
    }
    std::fprintf(stderr, "bench: no case \"%s\"\n", name.c_str());
    std::exit(1);
}

double Bench::ratio(const std::string& name, const std::string& other) const {
    return find(name).median("ours") / find(name).median(other);
}

double Bench::growth(const std::string& plugin, const std::string& with, const std::string& without) const {
    double worst = 0;
    for (const std::string verb : {" ADD, ", " DEL, "})
        worst =
            std::max(worst, find(plugin + verb + with).median("ours") / find(plugin + verb + without).median("ours"));
    return worst;
}

std::vector<Goal> Bench::goals() const {
    double slowest_start = 0;
    for (const Case& one : startup_)
        slowest_start = std::max(slowest_start, one.median("ours") / one.median("Go"));
    long peak = 0;
    for (const Peak& one : peaks_)
        peak = std::max(peak, one.kib.at("ours"));
    const auto plugins = plugins_in(options_.ours);
    std::uintmax_t largest = 0;
    for (const std::string& plugin : plugins)
        largest = std::max(largest, std::filesystem::file_size(options_.ours + "/" + plugin));
    int failures = duplicates_;
    for (const Case& one : parallel_)
        failures += one.failures("ours");
    const std::string foreign = mappings_.back().name().substr(std::string("portmap DEL, ").size());
    const Trace& trace = traces_.at("ours");

    std::vector<Goal> goals = {
        {"chain ADD, one port, dual stack: ours ÷ Go", ratio("chain ADD", "Go"), 1.0 / 20},
        {"… ours ÷ floor", ratio("chain ADD", "floor"), 1.5},
        {"chain DEL: ours ÷ Go", ratio("chain DEL", "Go"), 1.0 / 6},
        {"… ours ÷ floor", ratio("chain DEL", "floor"), 1.15},
        {"VERSION, the slowest plugin: ours ÷ Go", slowest_start, 0.25},
    };
    for (const std::string pool : {"60000 leases in a /16", "a /16 with 10 free", "60000 leases in a /64"})
        goals.push_back({"host-local, " + pool + " ÷ empty pool, the worse of ADD and DEL",
                         growth("host-local", pool, "0 leases in a /16"), 1.2});
    for (const auto& [words, limit] : {std::pair(std::string("10000 mappings present"), 1.2), std::pair(foreign, 1.2),
                                       std::pair(std::string("200 ports of one container"), 2.0),
                                       std::pair(std::string("a range of 10000 ports"), 1.2)})
        goals.push_back({"portmap, " + words + " ÷ one port on an empty host, the worse of ADD and DEL",
                         growth("portmap", words, "no other mapping"), limit});
    for (const Case& one : parallel_)
        goals.push_back({one.name() + ": ours ÷ Go", one.median("ours") / one.median("Go"), 0.2});
    goals.push_back({"… failures and duplicate addresses", static_cast<double>(failures), 0, "in all"});
    goals.push_back({"connection to the last of 10000 mappings ÷ to the only one",
                     find("first packet to answer, the last of 10000 mappings").median("ours") /
                         find("first packet to answer, the only mapping").median("ours"),
                     1.2});
    // Two runs of one suite differ by this much.
    for (const Case& one : throughput_)
        goals.push_back({one.name() + ": ours ÷ Go",
                         one.median_of("ours", &Sample::gigabits) / one.median_of("Go", &Sample::gigabits), 0.95, "",
                         true});
    goals.push_back({"peak resident memory, any call", static_cast<double>(peak), 3 * 1024, "KiB"});
    goals.push_back({"executable, the largest", static_cast<double>(largest) / 1024, 1.3 * 1024, "KiB"});
    goals.push_back(
        {"executables, all of ours ÷ the same plugins of the Go suite",
         static_cast<double>(total_of(options_.ours, plugins)) / static_cast<double>(total_of(options_.go, plugins)),
         0.25});
    goals.push_back({"netlink requests of a bridge ADD", static_cast<double>(trace.requests), 20, "requests"});
    goals.push_back({"netlink bytes received by a bridge ADD, on a busy host ÷ on an empty one",
                     trace.bytes_busy / trace.bytes, 1.02});
    return goals;
}

std::string Bench::size_table() const {
    const auto plugins = plugins_in(options_.ours);
    std::vector<std::string> folders = {options_.ours, options_.go};
    std::string out = "| plugin | ours, bytes | Go, bytes |", rule = "---|---|---|";
    if (const char* peer = std::getenv("PEER_BIN_DIR")) {
        folders.emplace_back(peer);
        out += " peer, bytes |";
        rule += "---|";
    }
    out += "\n|" + rule + "\n";
    const auto row = [&](const std::string& name, const auto& size_in) {
        out += "| " + name + " |";
        for (const std::string& folder : folders)
            out += " " + std::to_string(size_in(folder)) + " |";
        out += "\n";
    };
    for (const std::string& plugin : plugins)
        row(plugin, [&](const std::string& folder) { return std::filesystem::file_size(folder + "/" + plugin); });
    row("together", [&](const std::string& folder) { return total_of(folder, plugins); });
    row("all plugins of the suite", [&](const std::string& folder) { return total_of(folder, plugins_in(folder)); });
    return out;
}

std::string Bench::figures() const {
    std::string out = "Measured on " + sh("date +%F | tr -d '\\n'") + ": " + sh("nproc | tr -d '\\n'") +
                      " cores, Linux " + sh("uname -r | cut -d. -f1-2 | tr -d '\\n'") +
                      (options_.quick ? ", short form.\n" : ".\n");
    out += "\n### Goals\n\n" + goal_table(goals());
    out += "\n### Start-up\n\n" + table(startup_, all());
    out +=
        "\n### The chain: bridge, host-local, masquerade, portmap with one port, dual stack\n\n" + table(chain_, all());
    out += "\nWhat the floor program makes, compared with what ours makes: " + equivalence_ + ".\n";
    out += "\n### Leases\n\n" + table(leases_, suites());
    out += "\n### Port mappings\n\n" + table(mappings_, suites());
    out += "\n### Connections through a mapping\n\nFrom another host (namespace) through the mapping to the container: "
           "TCP "
           "connection set-up.\n\n" +
           table(connections_, suites());
    out += "\n" + throughput_table(throughput_, suites());
    out +=
        "\n### Many at once\n\n" + table(parallel_, suites()) + "\nFewer, on one bridge:\n\n" + table(fewer_, suites());
    out +=
        "\n### One bridge ADD under strace\n\n| | programs | system calls | netlink requests | of these dumps | bytes "
        "received | … on a busy host |\n|---|---|---|---|---|---|---|\n";
    for (const std::string& name : all()) {
        const Trace& trace = traces_.at(name);
        out += "| " + name + " | " + trace.table_cells + " | " + std::to_string(trace.requests) + " | " +
               std::to_string(trace.dumps) + " | " + sized(trace.bytes) + " | " +
               (trace.bytes_busy > 0 ? sized(trace.bytes_busy) : std::string("–")) + " |\n";
    }
    out += "\nThe busy host has 400 links, 200 addresses, 2,000 routes, 500 policy rules and 200 netfilter rules of "
           "its own. "
           "A dump that answers the same on both asks for one object's.\n";
    out += "\n### Peak resident memory\n\n| call |";
    for (const std::string& name : all())
        out += " " + name + ", KiB |";
    out += "\n|---|" + sh("printf -- '---|%.0s' $(seq " + std::to_string(all().size()) + ")") + "\n";
    for (const Peak& peak : peaks_) {
        out += "| " + peak.call + (peak.call.starts_with("host") ? ", 60000 leases" : "") + " |";
        for (const std::string& name : all())
            out += " " + std::to_string(peak.kib.at(name)) + " |";
        out += "\n";
    }
    return out + "\n### Size\n\n" + size_table();
}

std::vector<Series> Bench::lines(const std::vector<Case>& cases, const std::string& before_verb,
                                 const std::string& before_number, const std::string& suffix) const {
    std::vector<Series> series;
    const auto who = suites();
    for (std::size_t i = 0; i < who.size(); ++i) {
        for (const std::string verb : {"ADD", "DEL"}) {
            Series one{.name = who[i] + " " + verb, .colour = i, .dashed = verb == "DEL", .points = {}};
            for (const Case& each : cases) {
                const std::string& words = each.name();
                const std::string prefix = before_verb.empty() ? "" : before_verb + verb + before_number;
                const std::string end = before_verb.empty() ? suffix + verb : suffix;
                if (words.starts_with(prefix) && words.ends_with(end) && each.has(who[i]))
                    one.points.emplace_back(std::atof(words.c_str() + prefix.size()), each.median(who[i]) / 1000);
            }
            series.push_back(one);
        }
    }
    return series;
}

void Bench::plots() const {
    std::filesystem::create_directories(options_.plots);
    const auto save = [&](const std::string& name, const std::string& text) {
        std::ofstream(options_.plots + "/" + name) << text;
    };
    const auto who = suites();
    const auto add_point = [&](Series& series, double x, const std::string& case_name) {
        const std::string contestant = series.name.substr(0, series.name.find(' '));
        series.points.emplace_back(x, find(case_name).median(contestant) / 1000);
        std::ranges::sort(series.points);
    };
    save("leases.svg", line_plot("host-local: time of a call against leases in the pool", "leases in a /16",
                                 lines(leases_, "host-local ", ", ", " leases in a /16")));
    std::vector<Series> mapped = lines(mappings_, "portmap ", ", ", " mappings present");
    for (Series& series : mapped)
        add_point(series, 0, "portmap " + series.name.substr(series.name.size() - 3) + ", no other mapping");
    save("mappings.svg", line_plot("portmap: time of a call against mappings on the host", "mappings", mapped));
    std::vector<Series> crowds = lines(fewer_, "", "", " at once ");
    for (Series& series : crowds)
        add_point(series, parallel_calls,
                  std::to_string(parallel_calls) + " bridge " + series.name.substr(series.name.size() - 3) +
                      " at once, one bridge");
    save("parallel.svg",
         line_plot("bridge: time until the last of many calls is done", "calls at once, one bridge", crowds));
    Panel add{"ADD", {}}, del{"DEL", {}};
    for (const std::string& name : all()) {
        const auto part = [&](std::size_t i) {
            return std::pair(chain_[i].name().substr(std::string("– ").size()), chain_[i].median(name) / 1000);
        };
        add.bars.push_back({name, {part(2), part(3)}});
        del.bars.push_back({name, {part(5), part(4)}});
    }
    save("chain.svg", bar_chart("One container: bridge with host-local and masquerade, portmap", {add, del}));
}

void Bench::write() {
    const std::string text = figures();
    std::fputs(text.c_str(), stdout);
    if (options_.quick)
        return;
    plots();
    const std::string begin = "<!-- figures -->\n", end = "<!-- end of figures -->";
    std::ifstream in(options_.report);
    std::string report((std::istreambuf_iterator<char>(in)), {});
    const auto from = report.find(begin), to = report.find(end);
    if (from == std::string::npos || to == std::string::npos) {
        std::fprintf(stderr, "bench: %s lacks the lines around the figures\n", options_.report.c_str());
        std::exit(1);
    }
    report.replace(from + begin.size(), to - from - begin.size(), text);
    std::ofstream(options_.report) << report;
}

} // namespace bench
