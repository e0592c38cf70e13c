// SIGKILL at random moments, and what the next run finds.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <array>
#include <random>
#include <thread>

#include "journal/sqlite_journal.hpp"
#include "journal_contract.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

using testing::TemporaryDirectory;

namespace {

/// What a child says when a write has returned: which pair, and how far it came (0: first-begun, 1: second-begun, 2: done).
struct Acknowledged {
    int pair;
    int stage;
};

constexpr int kThreads = 4;

/// Writes pairs until it is killed; each thread has the numbers t, t + kThreads, …
[[noreturn]] void write_until_killed(const std::string& directory, int from, int acknowledge) {
    auto opened = open_sqlite_journal({directory, "ship"});
    if (!opened) ::_exit(3);
    Journal& journal = **opened;
    const auto said = [&](int pair, int stage) {
        const Acknowledged line{pair, stage};
        if (::write(acknowledge, &line, sizeof line) != sizeof line) ::_exit(4);
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = from + t;; i += kThreads) {
                const std::string key = std::to_string(i);
                if (!journal.write(sample_pair(key, PairState::first_begun), Durability::synced)) ::_exit(5);
                said(i, 0);
                if (!journal.write(sample_pair(key, PairState::first_done), Durability::ordered)) ::_exit(5);
                if (!journal.write(sample_pair(key, PairState::second_begun), Durability::synced)) ::_exit(5);
                said(i, 1);
                if (!journal.write(sample_pair(key, PairState::done), Durability::ordered)) ::_exit(5);
                said(i, 2);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    ::_exit(6);
}

struct Crash {
    std::vector<Acknowledged> acknowledged;
    bool by_our_signal = false;
};

Crash crash_once(const std::string& directory, int from, std::chrono::microseconds after) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ends[0]);
        write_until_killed(directory, from, ends[1]);
    }
    ::close(ends[1]);
    Crash crash;
    Acknowledged line{};
    // The moment is counted from the first acknowledged write, or a slow machine would only ever see the opening killed.
    std::optional<std::chrono::steady_clock::time_point> due;
    bool killed = false;
    while (::read(ends[0], &line, sizeof line) == sizeof line) {
        crash.acknowledged.push_back(line);
        if (!due) due = std::chrono::steady_clock::now() + after;
        if (!killed && std::chrono::steady_clock::now() >= *due) {
            ::kill(child, SIGKILL);
            killed = true;
        }
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    crash.by_our_signal = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return crash;
}

bool at_least(PairState found, int stage) {
    switch (stage) {
        case 0: return found != PairState::pending;
        default: return found == PairState::second_begun || found == PairState::done;
    }
}

TEST_CASE("whatever a synced write acknowledged is there after SIGKILL, at any moment", "[journal][crash]") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const TemporaryDirectory directory;
    int lost_ordered = 0;
    for (int round = 0; round < 25; ++round) {
        const int from = round * 1'000'000;
        const Crash crash = crash_once(directory.path(), from, std::chrono::microseconds(random() % 20'000));
        REQUIRE(crash.by_our_signal);
        auto journal = open_sqlite_journal({directory.path(), "ship"}).value();
        int acknowledged_done = 0;
        for (const Acknowledged& line : crash.acknowledged) {
            const auto found = journal->find(std::to_string(line.pair), "ship");
            REQUIRE(found);
            REQUIRE(found->has_value());
            INFO("pair " << line.pair << ", stage " << line.stage << ": " << to_string((*found)->state));
            REQUIRE(at_least((*found)->state, line.stage));
            if (line.stage != 2) continue;
            ++acknowledged_done;
            if ((*found)->state != PairState::done) ++lost_ordered;
        }
        // An ordered write is followed by the same worker's next synced one: at most its last can be missing.
        CHECK(lost_ordered <= (round + 1) * kThreads);
        CHECK(journal->unfinished()->size() <= static_cast<std::size_t>((round + 1) * kThreads));
    }
}

TEST_CASE("a child killed while it opens the journal for the first time leaves one that opens", "[journal][crash]") {
    std::mt19937 random(std::random_device{}());
    for (int round = 0; round < 40; ++round) {
        const TemporaryDirectory directory;
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            (void)open_sqlite_journal({directory / "state", "ship"});
            ::_exit(0);
        }
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 8000);
        while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
        ::kill(child, SIGKILL);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
        auto journal = open_sqlite_journal({directory / "state", "ship"});
        INFO((journal ? "" : journal.error().text));
        REQUIRE(journal);
        REQUIRE(write_whole_pair(**journal, "o1"));
    }
}

}  // namespace
}  // namespace lockstep::test
