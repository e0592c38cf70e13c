#include "journal_contract.hpp"

#include <catch2/catch.hpp>

#include <thread>

namespace lockstep::test {
namespace {

constexpr auto kSynced = Durability::synced;
constexpr auto kOrdered = Durability::ordered;

void put(Journal& journal, const std::string& key, std::initializer_list<PairState> states, Durability durability = kOrdered) {
    for (const PairState state : states) {
        const auto written = journal.write(sample_pair(key, state), durability);
        INFO((written ? "" : written.error().text));
        REQUIRE(written);
    }
}

std::vector<std::string> keys_of(const auto& pairs) {
    REQUIRE(pairs);
    std::vector<std::string> keys;
    for (const auto& pair : *pairs) keys.push_back(pair.item_key);
    return keys;
}

void check_same(const Pair& got, const Pair& want) {
    CHECK(got.item_key == want.item_key);
    CHECK(got.step == want.step);
    CHECK(to_string(got.state) == to_string(want.state));
    CHECK(got.generation == want.generation);
    CHECK(got.attempt == want.attempt);
    CHECK(got.pair_attempts == want.pair_attempts);
    CHECK(got.item == want.item);
    CHECK(got.definition == want.definition);
    CHECK(got.request == want.request);
    CHECK(got.outputs == want.outputs);
    CHECK(got.reason == want.reason);
    CHECK(got.run_id == want.run_id);
    CHECK(got.run_date == want.run_date);
    CHECK(got.begun_ms == want.begun_ms);
    CHECK(got.changed_ms == want.changed_ms);
}

void check_reading_back(const OpenJournal& open) {
    auto journal = open();
    CHECK(*journal->find("never", "ship") == std::nullopt);

    const std::string awkward = std::string("quote ' nul \0 newline \n", 23) + "\xc3\xa4";
    put(*journal, awkward, {PairState::first_begun}, kOrdered);
    check_same(journal->find(awkward, "ship")->value(), sample_pair(awkward, PairState::first_begun));
    CHECK(*journal->find(awkward, "other") == std::nullopt);
    put(*journal, awkward, {PairState::first_done, PairState::second_begun}, kSynced);
    check_same(journal->find(awkward, "ship")->value(), sample_pair(awkward, PairState::second_begun));
    REQUIRE(journal->flush());
    check_same(journal->find(awkward, "ship")->value(), sample_pair(awkward, PairState::second_begun));

    REQUIRE(journal->close());
    journal.reset();
    journal = open();
    check_same(journal->find(awkward, "ship")->value(), sample_pair(awkward, PairState::second_begun));
    put(*journal, awkward, {PairState::done});
    CHECK(journal->find(awkward, "ship")->value().state == PairState::done);
}

void check_unfinished(const OpenJournal& open) {
    auto journal = open();
    Pair late = sample_pair("late", PairState::first_begun);
    late.begun_ms += 1000;
    late.not_before_ms = late.begun_ms + 5;
    REQUIRE(journal->write(late, kOrdered));
    put(*journal, "early", {PairState::first_begun});
    put(*journal, "parked", {PairState::first_begun, PairState::parked});
    put(*journal, "refused", {PairState::first_begun, PairState::first_refused});
    put(*journal, "waiting", {PairState::first_begun, PairState::first_not_applied});
    put(*journal, "finished", {PairState::first_begun, PairState::first_done, PairState::second_begun, PairState::done});
    put(*journal, "undone",
        {PairState::first_begun, PairState::first_done, PairState::second_begun, PairState::second_refused,
         PairState::compensate_begun, PairState::compensated});
    CHECK(keys_of(journal->unfinished()) == std::vector<std::string>{"early", "parked", "late"});
    const UnfinishedPair last = journal->unfinished()->back();
    CHECK(last.step == late.step);
    CHECK(last.state == late.state);
    CHECK(last.not_before_ms == late.not_before_ms);
    CHECK(keys_of(journal->open_on_record()) == std::vector<std::string>{"early", "late"});
}

void check_illegal_transitions(const OpenJournal& open) {
    auto journal = open();
    put(*journal, "o1", {PairState::first_begun});
    const auto refused = journal->write(sample_pair("o1", PairState::second_begun), kOrdered);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().failure == Failure::journal);
    CHECK_THAT(refused.error().text, Catch::Contains("\"second-begun\" may not follow \"first-begun\""));
    CHECK(journal->flush().error().text == refused.error().text);

    journal.reset();
    journal = open();
    CHECK(journal->find("o1", "ship")->value().state == PairState::first_begun);
    CHECK_FALSE(journal->write(sample_pair("fresh", PairState::second_begun), kSynced));
}

void check_many_threads(const OpenJournal& open) {
    constexpr int kThreads = 8;
    constexpr int kPairs = 25;
    auto journal = open();
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kPairs; ++i) {
                const std::string key = std::to_string(t) + "/" + std::to_string(i);
                if (!write_whole_pair(*journal, key)) ++failures;
                if (const auto found = journal->find(key, "ship"); !found || (*found)->state != PairState::done) ++failures;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(failures == 0);
    CHECK(journal->unfinished()->empty());
    REQUIRE(journal->close());
    journal.reset();
    journal = open();
    for (int t = 0; t < kThreads; ++t) {
        for (int i = 0; i < kPairs; ++i) {
            const auto found = journal->find(std::to_string(t) + "/" + std::to_string(i), "ship");
            REQUIRE((found && *found && (*found)->state == PairState::done));
        }
    }
}

void check_runs_and_the_end(const OpenJournal& open) {
    auto journal = open();
    REQUIRE(journal->begin_run({"r1", 1'700'000'000'000, 812, "host", "run", "/tmp/ship.lock"}));
    PassTotals totals;
    totals.done = 3;
    REQUIRE(journal->end_pass("r1", 1, totals, "all items done"));
    REQUIRE(journal->close());
    CHECK(journal->close());
    CHECK(journal->find("o1", "ship").error().failure == Failure::journal);
    CHECK_FALSE(journal->write(sample_pair("o1", PairState::first_begun), kSynced));
    CHECK_FALSE(journal->unfinished());
}

void check_told_records(const OpenJournal& open) {
    const Digests first = {"a", "b"};
    const Digests second = {"b", "c"};
    auto journal = open();
    CHECK(journal->told_records().empty());
    for (const Digests& digests : {first, second, Digests()}) {
        journal->keep_told_records(digests);
        REQUIRE(journal->close());
        CHECK(journal->told_records().empty());
        journal.reset();
        journal = open();
        CHECK(journal->told_records() == digests);
    }
    journal->keep_told_records(first);
    REQUIRE(journal->close());
    journal.reset();
    journal = open();
    REQUIRE(journal->close());
    journal.reset();
    CHECK(open()->told_records() == first);
}

}  // namespace

Pair sample_pair(const std::string& item_key, PairState state) {
    Pair pair;
    pair.item_key = item_key;
    pair.step = "ship";
    pair.state = state;
    pair.generation = 2;
    pair.attempt = 3;
    pair.pair_attempts = 4;
    pair.item = R"({"orderId":"o1","qty":1.10})";
    pair.definition = R"({"step":"ship","first":{}})";
    pair.request = R"({"method":"POST"})";
    pair.outputs = R"({"first":{"rid":7}})";
    pair.reason = "201";
    pair.run_id = "r1";
    pair.run_date = "2026-11-23";
    pair.begun_ms = 1'700'000'000'000;
    pair.changed_ms = 1'700'000'000'001;
    return pair;
}

Result<void> write_whole_pair(Journal& journal, const std::string& item_key) {
    for (const auto& [state, durability] :
         {std::pair{PairState::first_begun, kSynced}, std::pair{PairState::first_done, kOrdered},
          std::pair{PairState::second_begun, kSynced}, std::pair{PairState::done, kOrdered}}) {
        if (auto written = journal.write(sample_pair(item_key, state), durability); !written) return written;
    }
    return {};
}

void check_journal_contract(const OpenJournal& open) {
    SECTION("a pair is read back as it was last written, at once and after a reopening") { check_reading_back(open); }
    SECTION("open and parked pairs are unfinished, the oldest first") { check_unfinished(open); }
    SECTION("a state that may not follow the one on record is refused, and ends the run") { check_illegal_transitions(open); }
    SECTION("many threads write at once and lose nothing") { check_many_threads(open); }
    SECTION("what was told is known to the next one, and stays until something else is kept") { check_told_records(open); }
    SECTION("a closed journal refuses everything but being closed again") { check_runs_and_the_end(open); }
}

}  // namespace lockstep::test
