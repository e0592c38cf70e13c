// Not run by default: unit_journal "[.bench]" prints what the journal costs on the disk under TMPDIR.

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

#include "journal/sqlite_journal.hpp"
#include "journal_contract.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

using testing::TemporaryDirectory;

namespace {

double seconds_of(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double pairs_per_second(Journal& journal, int threads, int pairs, const std::string& prefix) {
    const double taken = seconds_of([&] {
        std::vector<std::thread> workers;
        for (int t = 0; t < threads; ++t) {
            workers.emplace_back([&, t] {
                for (int i = t; i < pairs; i += threads) {
                    const std::string key = fmt::format("{}/{}", prefix, i);
                    if (!journal.find(key, "ship") || !write_whole_pair(journal, key)) std::abort();
                }
            });
        }
        for (auto& worker : workers) worker.join();
    });
    return pairs / taken;
}

TEST_CASE("how many pairs a second the journal takes", "[.bench]") {
    const TemporaryDirectory directory;
    auto journal = open_sqlite_journal({directory.path(), "bench"}).value();
    for (const int threads : {1, 4, 16, 64}) {
        const int pairs = threads == 1 ? 2000 : 8000;
        fmt::print("{:3} threads: {:8.0f} pairs/s\n", threads,
                   pairs_per_second(*journal, threads, pairs, fmt::format("t{}", threads)));
    }
    REQUIRE(journal->close());
    fmt::print("{} bytes\n", std::filesystem::file_size(directory / "bench.sqlite3"));
}

TEST_CASE("what it takes to skip 100,000 items that are done", "[.bench]") {
    constexpr int kItems = 100'000;
    const TemporaryDirectory directory;
    auto journal = open_sqlite_journal({directory.path(), "bench"}).value();
    for (int i = 0; i < kItems; ++i) {
        for (const PairState state : {PairState::first_begun, PairState::first_done, PairState::done}) {
            REQUIRE(journal->write(sample_pair(fmt::format("order-{}", i), state), Durability::ordered));
        }
    }
    REQUIRE(journal->close());
    fmt::print("{} bytes a pair\n", std::filesystem::file_size(directory / "bench.sqlite3") / kItems);
    journal.reset();
    double opening = seconds_of([&] { journal = open_sqlite_journal({directory.path(), "bench"}).value(); });
    const double finding = seconds_of([&] {
        for (int i = 0; i < kItems; ++i) {
            if (journal->find(fmt::format("order-{}", i), "ship").value().value().state != PairState::done) std::abort();
        }
    });
    fmt::print("open {:.1f} ms, {} finds {:.3f} s\n", opening * 1000, kItems, finding);
}

TEST_CASE("one pair after another, for strace to count the syncs", "[.syncs]") {
    const TemporaryDirectory directory;
    auto journal = open_sqlite_journal({directory.path(), "bench"}).value();
    const char* threads = std::getenv("THREADS");
    pairs_per_second(*journal, threads != nullptr ? std::atoi(threads) : 1, 1000, "s");
}

}  // namespace
}  // namespace lockstep::test
