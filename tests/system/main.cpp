// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <string>

#include "world.h"

namespace {

int passed = 0, failed = 0, skipped = 0; // doctest's own sum counts the cases of other shards as well
std::string current;

struct Watcher : doctest::IReporter {
    explicit Watcher(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats&) override {
        std::printf("%d passed, %d failed, %d skipped\n", passed - skipped, failed, skipped);
    }
    void test_case_start(const doctest::TestCaseData& test) override { current = test.m_name; }
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
        ++(stats.testCaseSuccess ? passed : failed);
        // One line a case: what run-go.sh compares.
        std::printf("%s: %s\n", stats.testCaseSuccess ? "ok" : "FAIL", current.c_str());
        std::fflush(stdout);
    }
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

} // namespace

DOCTEST_REGISTER_LISTENER("watcher", 1, Watcher);

namespace test {
void count_skip(const std::string& why) {
    ++skipped;
    std::printf("SKIPPED: %s: %s\n", current.c_str(), why.c_str());
}
} // namespace test

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    context.setOption("no-intro", true);
    return context.run();
}
