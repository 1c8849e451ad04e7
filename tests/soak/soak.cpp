// SPDX-License-Identifier: Apache-2.0
// The model soak: 64 workers make random calls of host-local and of whole chains over several networks and ranges, the
// Go suite's host-local among them, kill some in the middle, and compare every answer and what is on the host with a
// model: no address and no host port held twice, none lost, no lease, element or link without an owner.
// Usage: cnative_soak [--operations N] [--seed N] [--workers N] [--chains PERCENT] [--contested PER-THOUSAND]
//   [--flushes PER-TEN-THOUSAND]: of whole chains, of calls for one container at once, of flushes of the ruleset
//   CNI_BIN_DIR: our plugins; GO_BIN_DIR: the Go suite's, /usr/lib/cni when not set, empty for none.
// A worker's choices follow from the seed; which of two workers is faster does not. Closing line: 'N passed, N failed'.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include <unistd.h>

#include "networks.h"

namespace {

using namespace soak;

struct Options {
    long operations = 3000;
    std::uint64_t seed = static_cast<std::uint64_t>(time(nullptr));
    int workers = 64;
    int chains = 10;    ///< per cent
    int contested = 10; ///< in a thousand
    int flushes = 2;    ///< in ten thousand
};

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string key = argv[i];
        const auto value = std::strtoull(argv[i + 1], nullptr, 10);
        if (key == "--operations")
            options.operations = static_cast<long>(value);
        else if (key == "--seed")
            options.seed = value;
        else if (key == "--workers")
            options.workers = static_cast<int>(value);
        else if (key == "--chains")
            options.chains = static_cast<int>(value);
        else if (key == "--contested")
            options.contested = static_cast<int>(value);
        else if (key == "--flushes")
            options.flushes = static_cast<int>(value);
    }
    return options;
}

enum class Kind { ipam, chain, contested };

Attachment& choose(const Worker& worker, Kind kind, Random& random) {
    if (kind == Kind::contested)
        return *worker.contested;
    const auto& all = kind == Kind::chain ? worker.chains : worker.ipam;
    return *all[random() % all.size()];
}

void operate(Soak& soak, Attachment& attachment, Kind kind, Random& random) {
    const std::shared_lock together(attachment.network->gate);
    if (kind == Kind::contested)
        operate_contested(soak, attachment, random);
    else
        kind == Kind::chain ? operate_chain(soak, attachment, random) : operate_ipam(soak, attachment, random);
}

void work(Soak& soak, const Worker& worker, const Options& options, std::uint64_t number) {
    Random random(options.seed * 1000 + number);
    while (soak.counts.operations++ < options.operations && soak.model.violations < 20) {
        const Kind kind = chance(random, options.chains)                          ? Kind::chain
                          : static_cast<int>(random() % 1000) < options.contested ? Kind::contested
                                                                                  : Kind::ipam;
        Attachment& attachment = choose(worker, kind, random);
        const auto dice = random() % 1000;
        if (static_cast<int>(random() % 10'000) < options.flushes)
            flush_ruleset(soak);
        else if (dice < 4)
            collect_garbage(soak, *attachment.network, random);
        else if (dice == 4)
            audit(soak, *attachment.network);
        else if (dice < 100 && attachment.network->is_chain())
            ask_status(soak, *attachment.network, random);
        else
            operate(soak, attachment, kind, random);
    }
}

void work_guarded(Soak& soak, const Worker& worker, const Options& options, std::uint64_t number) {
    try {
        work(soak, worker, options, number);
    } catch (const std::exception& error) {
        soak.model.violation("worker " + std::to_string(number) + ": " + error.what(), worker.contested);
    }
}

/// In the end everybody goes, and nothing may be left.
void finish(Soak& soak) {
    Random random(1);
    for (const auto& network : soak.model.networks) {
        audit(soak, *network);
        for (const auto& attachment : network->attachments)
            network->is_chain() ? del_chain(soak, *attachment, random, 0) : del_ipam(soak, *attachment, random, 0);
        audit(soak, *network);
    }
    for (const std::string kind : {"veth", "ifb"}) // those without a name too
        if (const std::string left = test::sh("ip -o link show type " + kind); !left.empty())
            soak.model.violation("left in the end: " + left, nullptr);
}

void print_summary(const Soak& soak) {
    const Counts& c = soak.counts;
    std::printf("%ld ADD, %ld DEL, %ld CHECK, %ld STATUS, %ld GC, %ld audits, %ld flushes of the ruleset\n",
                c.adds.load(), c.dels.load(), c.checks.load(), c.statuses.load(), c.gcs.load(), c.audits.load(),
                soak.model.flushes.load() / 2);
    std::printf("%ld of them chains, %ld by the Go suite's host-local; %ld times calls for one container at once\n",
                c.chains.load(), c.go.load(), c.races.load());
    std::printf(
        "%ld calls killed, %ld ended by SIGTERM with an answer; %ld times a full range, %ld times a taken port\n",
        c.killed.load(), c.terminated.load(), c.exhausted.load(), c.ports_taken.load());
}

} // namespace

int main(int argc, char** argv) {
    const Options options = read_options(argc, argv);
    const char* bin = std::getenv("CNI_BIN_DIR");
    const char* go = std::getenv("GO_BIN_DIR");
    Soak soak;
    soak.bin = bin != nullptr ? bin : DEFAULT_BIN_DIR;
    soak.go = go != nullptr ? go : "/usr/lib/cni";
    if (!soak.go.empty() && access((soak.go + "/host-local").c_str(), X_OK) != 0) {
        std::printf("FAIL no host-local of the Go suite in %s; GO_BIN_DIR= to do without\n", soak.go.c_str());
        return 1;
    }
    std::printf(
        "seed %llu; again: %s --operations %ld --workers %d --chains %d --contested %d --flushes %d --seed %llu\n",
        static_cast<unsigned long long>(options.seed), argv[0], options.operations, options.workers, options.chains,
        options.contested, options.flushes, static_cast<unsigned long long>(options.seed));
    (void)std::fflush(stdout);
    test::World world;
    flush_ruleset(soak);
    const std::vector<Worker> workers = make_workers(soak, world, options.workers);
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < workers.size(); ++i)
            threads.emplace_back([&, i] { work_guarded(soak, workers[i], options, i); });
    }
    finish(soak);
    print_summary(soak);
    const long operations = std::min(soak.counts.operations.load(), options.operations);
    std::printf("%ld passed, %d failed\n", operations - soak.model.violations, soak.model.violations.load());
    return soak.model.violations == 0 ? 0 : 1;
}
