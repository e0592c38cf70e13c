// The journal without any effects between its writes: what a pair costs it, and what that comes to as history grows.
//
//     bench_journal fill STATE_DIR JOB STEP PREFIX COUNT     pairs that are done, keys PREFIX1 … PREFIXn, not synced one by one
//     bench_journal time STATE_DIR JOB STEP PREFIX COUNT     prints: pairs per second with 16 threads, µs of processor a pair
//     bench_journal size STATE_DIR JOB                       prints: bytes of the database

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "journal/sqlite_journal.hpp"

namespace {

using namespace lockstep;

/// As long as the pairs of jobs/ship-orders.json.
Pair pair_in(const std::string& key, const std::string& step, PairState state) {
    Pair pair;
    pair.item_key = key;
    pair.step = step;
    pair.state = state;
    pair.attempt = pair.pair_attempts = 1;
    pair.item = R"({"orderId":")" + key + R"(","qty":1})";
    pair.definition = std::string(1500, 'd');
    pair.request = std::string(350, 'r');
    if (state != PairState::first_begun) pair.outputs = R"({"first":{"rid":"r12345"}})";
    pair.reason = "201 Created";
    pair.run_id = "20261123T030001Z-7f3a9c21";
    pair.begun_ms = pair.changed_ms = pair.phase_begun_ms = wall_now_ms();
    return pair;
}

void must(const Result<void>& result) {
    if (result) return;
    std::fprintf(stderr, "bench_journal: %s\n", result.error().text.c_str());
    std::exit(1);
}

void whole_pair(Journal& journal, const std::string& key, const std::string& step, Durability durability) {
    if (auto found = journal.find(key, step); !found) must(std::unexpected(found.error()));
    must(journal.write(pair_in(key, step, PairState::first_begun), durability));
    must(journal.write(pair_in(key, step, PairState::first_done), Durability::ordered));
    must(journal.write(pair_in(key, step, PairState::second_begun), durability));
    must(journal.write(pair_in(key, step, PairState::done), Durability::ordered));
}

double processor_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void time_pairs(Journal& journal, const std::string& step, const std::string& prefix, int count) {
    constexpr int kThreads = 16;
    const double before = processor_seconds();
    const auto start = std::chrono::steady_clock::now();
    std::atomic<int> next = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int n = ++next; n <= count; n = ++next)
                whole_pair(journal, prefix + std::to_string(n), step, Durability::synced);
        });
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%.0f %.1f\n", count / took.count(), (processor_seconds() - before) * 1e6 / count);
}

int usage() {
    std::fputs("usage: bench_journal fill|time STATE_DIR JOB STEP PREFIX COUNT | size STATE_DIR JOB\n", stderr);
    return 64;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 3 ? argv[1] : "";
    if (what == "size") {
        std::printf("%ju\n", std::uintmax_t{std::filesystem::file_size(fmt::format("{}/{}.sqlite3", argv[2], argv[3]))});
        return 0;
    }
    if (argc != 7 || (what != "fill" && what != "time")) return usage();
    auto journal = open_sqlite_journal({argv[2], argv[3]});
    if (!journal) must(std::unexpected(journal.error()));
    const std::string step = argv[4], prefix = argv[5];
    const int count = std::atoi(argv[6]);
    if (what == "time") {
        time_pairs(**journal, step, prefix, count);
    } else {
        for (int n = 1; n <= count; ++n) whole_pair(**journal, prefix + std::to_string(n), step, Durability::ordered);
    }
    must((*journal)->close());
}
