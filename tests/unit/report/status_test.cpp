// Status and history of real journals; looking changes nothing.

#include "report/status.hpp"

#include <unistd.h>

#include <filesystem>

#include "base/clock.hpp"
#include "journal/apply_decisions.hpp"
#include "report/history.hpp"
#include "report_support.hpp"
#include "support/temporary_directory.hpp"

using namespace lockstep;
using namespace lockstep::test;
using lockstep::testing::TemporaryDirectory;

namespace {

/// A job's journal and lock in a directory of its own.
class Place {
  public:
    SqliteJournalOptions options() const { return {directory_.path(), "ship"}; }
    StatusQuery query() const { return {"ship", directory_ / "ship.lock", directory_.path()}; }
    const TemporaryDirectory& directory() const { return directory_; }

    std::unique_ptr<Journal> journal() const {
        auto opened = open_sqlite_journal(options());
        INFO((opened ? "" : opened.error().text));
        REQUIRE(opened);
        return std::move(*opened);
    }

    JobStatus status() const {
        auto status = job_status(query());
        INFO((status ? "" : status.error().text));
        REQUIRE(status);
        return std::move(*status);
    }

    /// One pass that was killed: o1 parked, o2 open, o3 done.
    void fill() const {
        auto open = journal();
        REQUIRE(open->begin_run({"r1", kNow - 7'200'000, 4711, "host1", "run", ""}));
        write(*open, charge("o1", PairState::first_begun));
        write(*open, charge("o1", PairState::parked, PairState::first_begun));
        write(*open, charge("o2", PairState::first_begun));
        for (const PairState state : {PairState::first_begun, PairState::first_done, PairState::second_begun, PairState::done})
            write(*open, charge("o3", state));
        REQUIRE(open->close());
    }

    void end_pass(std::int64_t number, const PassTotals& totals, const std::string& because) const {
        auto open = journal();
        REQUIRE(open->end_pass("r1", number, totals, because));
        REQUIRE(open->close());
    }

    void decide(DecisionVerb verb) const {
        auto reader = JournalReader::open(options());
        REQUIRE(reader);
        REQUIRE(*reader);
        Decision decision;
        decision.item_key = "o1";
        decision.step = "charge";
        decision.verb = verb;
        decision.outputs = "{}";
        decision.by = "alice";
        decision.decided_ms = kNow;
        const auto written = (*reader)->decide({decision});
        INFO((written ? "" : written.error().text));
        REQUIRE(written);
    }

  private:
    static void write(Journal& journal, const Pair& pair) {
        const auto written = journal.write(pair, Durability::synced);
        INFO((written ? "" : written.error().text));
        REQUIRE(written);
    }
    TemporaryDirectory directory_;
};

std::vector<std::string> keys_of(const std::vector<Pair>& pairs) {
    std::vector<std::string> keys;
    for (const Pair& pair : pairs) keys.push_back(pair.item_key);
    return keys;
}

}  // namespace

TEST_CASE("the status of a job that never ran says so, and creates nothing", "[report]") {
    const Place place;
    const JobStatus status = place.status();
    CHECK_FALSE(status.has_journal);
    CHECK(status.lock.state == LockState::free);
    CHECK(contains(status_text(status, kNow), "never ran"));
    CHECK(std::filesystem::is_empty(place.directory().path()));
}

TEST_CASE("the status tells parked from open, and counts what is done", "[report]") {
    const Place place;
    place.fill();
    const JobStatus status = place.status();
    CHECK(keys_of(status.parked) == std::vector<std::string>{"o1"});
    CHECK(keys_of(status.open) == std::vector<std::string>{"o2"});
    CHECK(status.done == 1);
    CHECK_FALSE(status.last_success.has_value());
    const std::string text = status_text(status, kNow);
    INFO(text);
    CHECK(contains(text, "parked, waiting for a person: 1\n    o1, charge: "));
    CHECK(contains(text, "open, settled first by the next pass: 1\n    o2, charge: "));
    CHECK(contains(text, "1 pair done; last success: none yet"));
}

TEST_CASE("the status can be read while a run writes the journal", "[report]") {
    const Place place;
    place.fill();
    auto writer = place.journal();
    CHECK(place.status().parked.size() == 1);
    REQUIRE(writer->write(charge("o4", PairState::first_begun), Durability::synced));
    CHECK(keys_of(place.status().open) == std::vector<std::string>{"o2", "o4"});
}

TEST_CASE("the last success is the last pass that went through all items and in which nothing failed", "[report]") {
    const Place place;
    place.fill();
    place.end_pass(1, {.begun_ms = 1000, .done = 2}, "all items done");
    place.end_pass(2, {.begun_ms = 2000, .done = 3, .failed = 1}, "gone through all items");
    place.end_pass(3, {.begun_ms = 3000}, "the items could not be had");
    const JobStatus status = place.status();
    REQUIRE(status.last_success.has_value());
    CHECK(status.last_success->pass == 1);
    CHECK(contains(status_text(status, kNow), "pass 1: done 2, failed 0"));
}

TEST_CASE("a decision waits in the status until a pass has applied it, and stays in the history", "[report]") {
    const Place place;
    place.fill();
    place.decide(DecisionVerb::not_applied);
    JobStatus status = place.status();
    REQUIRE(status.waiting.size() == 1);
    CHECK(contains(status_text(status, kNow), "alice: o1, charge: not-applied: waits for the next pass"));
    CHECK(status.parked.size() == 1);

    auto journal = place.journal();
    const auto applied = apply_decisions(*journal);
    REQUIRE(applied);
    REQUIRE(applied->size() == 1);
    CHECK(applied->front().applied);
    CHECK(applied->front().outcome == "now first-not-applied");
    REQUIRE(journal->close());
    status = place.status();
    CHECK(status.waiting.empty());
    CHECK(status.parked.empty());
    const auto history = job_history(place.options(), 20);
    REQUIRE(history);
    CHECK(contains(history_text(*history), "alice: o1, charge: not-applied: now first-not-applied"));
}

TEST_CASE("a decision that comes too late is marked, changes nothing, and says why", "[report]") {
    const Place place;
    place.fill();
    place.decide(DecisionVerb::not_applied);
    place.decide(DecisionVerb::compensate);
    auto journal = place.journal();
    const auto applied = apply_decisions(*journal);
    REQUIRE(applied);
    REQUIRE(applied->size() == 2);
    CHECK_FALSE(applied->back().applied);
    CHECK(contains(applied->back().outcome, "only a parked pair"));
    CHECK(journal->find("o1", "charge")->value().state == PairState::first_not_applied);
    CHECK(apply_decisions(*journal)->empty());
}

TEST_CASE("the history tells passes newest first, what they did and why they ended", "[report]") {
    const Place place;
    place.fill();
    place.end_pass(1, {.begun_ms = 1000, .done = 2, .skipped = 7, .recovered = 1}, "all items done");
    place.end_pass(2, {.begun_ms = 2000, .failed = 1, .left = 4}, "stopped");
    const auto history = job_history(place.options(), 20);
    REQUIRE(history);
    const std::string text = history_text(*history);
    INFO(text);
    const std::size_t second = text.find("run r1 pass 2: done 0, failed 1, parked 0, left 4 in ");
    const std::size_t first = text.find("run r1 pass 1: done 2, failed 0, parked 0, left 0, recovered 1, skipped 7 in ");
    CHECK(second < first);
    CHECK(first != std::string::npos);
    CHECK(contains(text, ": stopped\n"));
    CHECK(job_history(place.options(), 1)->passes.size() == 1);
}

TEST_CASE("the history of a job that never ran is an error that names the place", "[report]") {
    const Place place;
    const auto history = job_history(place.options(), 20);
    REQUIRE_FALSE(history);
    CHECK(history.error().failure == Failure::journal);
    CHECK(contains(history.error().text, place.directory().path()));
}

TEST_CASE("where a job has no journal, one whose name is nearly the same is asked for", "[report]") {
    const Place place;
    place.fill();
    SqliteJournalOptions mistyped = place.options();
    mistyped.job.insert(1, 1, 'x');
    const auto history = job_history(mistyped, 20);
    REQUIRE_FALSE(history);
    CHECK(contains(history.error().text, "; did you mean " + place.options().job + "?"));
    const auto status = job_status({mistyped.job, "/tmp/" + mistyped.job + ".lock", mistyped.state_directory});
    REQUIRE(status);
    CHECK(contains(status_text(*status, kNow), "; did you mean " + place.options().job + "?"));
}

TEST_CASE("after a clock was set back nothing is younger, and nothing took less, than no time", "[report]") {
    const Place place;
    place.fill();
    place.end_pass(1, {.begun_ms = wall_now_ms() + 3'600'000, .done = 2}, "all items done");
    const Json status = status_json(place.status(), 1000);
    INFO(to_text(status));
    CHECK(contains(to_text(status), R"("ageMs":0)"));
    CHECK_FALSE(contains(to_text(status), R"("ageMs":-)"));
    const auto history = job_history(place.options(), 20);
    REQUIRE(history);
    CHECK(contains(to_text(history_json(*history)), R"("durationMs":0)"));
}

TEST_CASE("the JSON of status and history has the keys of the manual", "[report]") {
    const Place place;
    place.fill();
    place.end_pass(1, {.begun_ms = 1000, .done = 2}, "all items done");
    place.decide(DecisionVerb::again);
    const auto keys = [](const Json& json) {
        std::string text;
        for (const JsonMember& member : json.members) text += member.key + " ";
        return text;
    };
    const Json status = status_json(place.status(), kNow);
    CHECK(keys(status) ==
          "job lock journal hasJournal donePairs lastSuccess lastPass lastSuccessAgeMs expectEveryMs overdue parked open "
          "failedPairs "
          "failed decided ");
    CHECK(keys(*status.find("lock")) ==
          "name path state text run job pid guardianPid host user since phase command stoppingSince stoppingBy stopBy killAt "
          "journal "
          "waiters waiterPids readers stopped ");
    const Json history = history_json(*job_history(place.options(), 20));
    CHECK(keys(history) == "job passes unended decisions ");
    CHECK(keys(history.find("passes")->elements.front()) ==
          "run command host pass begun ended durationMs done failed parked recovered left skipped open endedBecause ");
    CHECK(keys(history.find("decisions")->elements.front()) ==
          "item step decision outputs redefined by decided applied outcome ");
    CHECK(history.find("decisions")->elements.front().find("applied")->is_null());
}
