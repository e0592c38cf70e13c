#include "journal/prune.hpp"

#include <sqlite3.h>

#include <catch2/catch.hpp>

#include "base/clock.hpp"
#include "journal/pair_table.hpp"
#include "journal/sqlite_journal.hpp"
#include "journal_contract.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

using testing::TemporaryDirectory;

namespace {

constexpr std::int64_t kDay = 24 * 3'600'000LL;

std::int64_t days_ago(std::int64_t days) { return wall_now_ms() - days * kDay; }

/// Of a run that began so long ago.
std::string once_key(std::int64_t days, const std::string& pass = "1") {
    const std::chrono::sys_time<std::chrono::milliseconds> began{std::chrono::milliseconds{days_ago(days)}};
    const auto day = std::chrono::floor<std::chrono::days>(began);
    const std::chrono::year_month_day date{day};
    char text[64];
    std::snprintf(text, sizeof text, "%04d%02u%02uT000000Z-7f3a9c21/%s", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), pass.c_str());
    return text;
}

class Pruned {
  public:
    Pruned() { open_sqlite_journal(options()).value(); }

    SqliteJournalOptions options() const { return {directory_.path(), "ship"}; }

    SqliteDb database() const { return SqliteDb::open(directory_ / "ship.sqlite3").value(); }

    void run(const std::string& sql) {
        auto db = database();
        const auto done = db.run(sql.c_str(), "preparing a test");
        INFO((done ? "" : done.error().text));
        REQUIRE(done);
    }

    void add_pass(std::int64_t ended_ms, const std::string& run) {
        const std::string at = std::to_string(ended_ms);
        run_row(at, run);
        this->run(
            "INSERT INTO passes (run_id, pass, begun_ms, ended_ms, done, failed, parked, left_over, skipped, open, "
            "ended_because) VALUES ('" +
            run + "', 1, " + at + ", " + at + ", 1, 0, 0, 0, 0, 0, 'all items done')");
    }

    /// A pair in this state that was last written so many days ago.
    void add_pair(const std::string& key, PairState state, std::int64_t days, bool owes_steps = false,
                  const std::string& step = "ship") {
        auto db = database();
        auto writer = PairWriter::create(db).value();
        Pair pair = sample_pair(key, state);
        pair.changed_ms = days_ago(days);
        pair.owes_steps = owes_steps;
        pair.step = step;
        REQUIRE(writer.put(pair));
    }

    void another_day() { run("UPDATE pruned SET at_ms = at_ms - " + std::to_string(kDay)); }

    /// So many passes that ended so long ago, and as many pairs of theirs.
    void add_passes(int number, std::int64_t days, bool pairs = false) {
        const std::string at = std::to_string(days_ago(days));
        const std::string numbers =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(number) + ") ";
        run(numbers +
            "INSERT INTO passes (run_id, pass, begun_ms, ended_ms, done, failed, parked, left_over, skipped, open, "
            "ended_because) "
            "SELECT 'r', i, " +
            at + " + i, " + at + " + i, 0, 0, 0, 0, 0, 0, 'all items done' FROM n");
        if (!pairs) return;
        const std::string key = once_key(days);
        add_pair(key, PairState::done, days);
        run(numbers +
            "INSERT INTO pairs (item_key, step, state, unfinished, generation, attempt, pair_attempts, item, definition_id, "
            "request, outputs, reason, run_id, begun_ms, changed_ms) SELECT item_key || i, step, state, unfinished, "
            "generation, "
            "attempt, pair_attempts, item, definition_id, request, outputs, reason, run_id, begun_ms, changed_ms FROM pairs, "
            "n");
    }

    void prune(const PruneRules& rules) {
        auto opened = options();
        opened.prune = rules;
        const auto journal = open_sqlite_journal(opened);
        INFO((journal ? "" : journal.error().text));
        REQUIRE(journal);
    }

    std::int64_t count(const std::string& what) const {
        auto db = database();
        return db.number(("SELECT count(*) FROM " + what).c_str(), "counting").value();
    }

    bool has(const std::string& key) const { return count("pairs WHERE item_key = '" + key + "'") == 1; }

  private:
    void run_row(const std::string& at, const std::string& run) {
        this->run("INSERT OR IGNORE INTO runs (run_id, started_ms, guardian_pid, host, command) VALUES ('" + run + "', " + at +
                  ", 1, 'h', 'run')");
    }

    TemporaryDirectory directory_;
};

constexpr PruneRules kThirtyDays{
    .keep_history = std::chrono::hours{24 * 30}, .items_come_once = false, .forget_items = {}, .batches_a_pass = 300};

TEST_CASE("old passes and their runs are forgotten, young ones kept", "[prune]") {
    Pruned journal;
    journal.add_pass(days_ago(40), "old");
    journal.add_pass(days_ago(31), "long");
    journal.add_pass(days_ago(2), "long");
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == 1);
    CHECK(journal.count("runs WHERE run_id = 'old'") == 0);
    CHECK(journal.count("runs WHERE run_id = 'long'") == 1);
}

TEST_CASE("old things are forgotten once a day, not at every pass", "[prune]") {
    Pruned journal;
    journal.add_pass(days_ago(50), "older");
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == 0);
    journal.add_pass(days_ago(40), "old");
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == 1);
    journal.another_day();
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == 0);
}

TEST_CASE("what is kept for less than a day is forgotten at every pass", "[prune]") {
    Pruned journal;
    PruneRules rules = kThirtyDays;
    journal.prune(rules);
    journal.add_pass(days_ago(40), "old");
    journal.add_pass(wall_now_ms() - 2000, "today");
    journal.add_pair("a", PairState::done, 1);
    journal.add_pair("b", PairState::done, 0);
    rules.forget_items = std::chrono::hours{23};
    journal.prune(rules);
    CHECK_FALSE(journal.has("a"));
    CHECK(journal.has("b"));
    CHECK(journal.count("passes") == 2);
    rules.keep_history = std::chrono::seconds{1};
    journal.prune(rules);
    CHECK(journal.count("passes") == 0);
}

TEST_CASE("items that are done stay done, however long ago that was", "[prune]") {
    Pruned journal;
    for (const PairState state :
         {PairState::done, PairState::first_refused, PairState::compensated, PairState::first_not_applied})
        journal.add_pair("north/" + std::string(to_string(state)), state, 4000);
    journal.prune(kThirtyDays);
    CHECK(journal.count("pairs") == 4);
}

TEST_CASE("the pairs of a pass that was an item of its own go with it, unless somebody still has to do with them", "[prune]") {
    Pruned journal;
    PruneRules rules = kThirtyDays;
    rules.items_come_once = true;
    journal.add_pair(once_key(50), PairState::done, 50);
    journal.add_pair(once_key(49), PairState::first_refused, 49);
    journal.add_pair(once_key(48), PairState::parked, 48);
    journal.add_pair(once_key(47), PairState::second_begun, 47);
    journal.add_pair(once_key(46), PairState::done, 46, true);
    journal.add_pair(once_key(45), PairState::done, 45);
    journal.run("INSERT INTO decisions (item_key, step, verb, outputs, decided_by, decided_ms) VALUES ('" + once_key(45) +
                "', 'ship', 'again', '{}', 'me', 1)");
    journal.add_pair(once_key(44, "900000"), PairState::done, 3);  // a loop that began long ago
    journal.add_pair(once_key(5), PairState::done, 5);
    journal.add_pair("2019-o17", PairState::done, 4000);  // of a time when the job had items
    journal.prune(rules);
    CHECK_FALSE(journal.has(once_key(50)));
    CHECK_FALSE(journal.has(once_key(49)));
    CHECK(journal.count("pairs") == 7);
}

TEST_CASE("items are forgotten where the job file says so, but none that is open or parked", "[prune]") {
    Pruned journal;
    PruneRules rules = kThirtyDays;
    rules.forget_items = std::chrono::hours{24 * 365};
    journal.add_pair("a", PairState::done, 400);
    journal.add_pair("b", PairState::compensated, 400);
    for (int n = 0; n < 14; ++n) {
        const auto state = static_cast<PairState>(n);
        if (is_open(state) || state == PairState::parked) journal.add_pair("open" + std::to_string(n), state, 400);
    }
    journal.add_pair("owing", PairState::done, 400, true);
    journal.add_pair("young", PairState::done, 300);
    const auto all = journal.count("pairs");
    journal.prune(rules);
    CHECK(journal.count("pairs") == all - 2);
    CHECK_FALSE(journal.has("a"));
    CHECK_FALSE(journal.has("b"));
}

TEST_CASE("a step that is done is not forgotten while another of its item has not ended, or ended a short time ago",
          "[prune]") {
    Pruned journal;
    PruneRules rules = kThirtyDays;
    rules.forget_items = std::chrono::hours{24 * 100};
    rules.items_come_once = true;
    const std::string once = once_key(200);
    for (const std::string& key : {std::string("parked"), std::string("young"), std::string("old"), once})
        journal.add_pair(key, PairState::done, 200, false, "pack");
    journal.add_pair("parked", PairState::parked, 200);
    journal.add_pair(once, PairState::parked, 200);
    journal.add_pair("young", PairState::first_not_applied, 1);
    journal.add_pair("old", PairState::done, 200);
    journal.prune(rules);
    for (const std::string& key : {std::string("parked"), std::string("young"), once})
        CHECK(journal.count("pairs WHERE item_key = '" + key + "'") == 2);
    CHECK(journal.count("pairs WHERE item_key = 'old'") == 0);
}

TEST_CASE("a definition that no pair has any more is forgotten with the last of them", "[prune]") {
    Pruned journal;
    journal.add_pair("a", PairState::done, 400);
    journal.run("INSERT INTO definitions (text) VALUES ('of a pair that is gone')");
    PruneRules rules = kThirtyDays;
    rules.forget_items = std::chrono::hours{24};
    journal.add_pair("b", PairState::done, 0);
    journal.prune(rules);
    CHECK(journal.count("definitions") == 1);
    CHECK(journal.has("b"));
}

TEST_CASE("decisions are kept as long as passes, and for ever while they wait", "[prune]") {
    Pruned journal;
    journal.run(
        "INSERT INTO decisions (item_key, step, verb, outputs, decided_by, decided_ms, applied_ms) VALUES "
        "('a', 's', 'again', '{}', 'me', 1, 1), ('b', 's', 'again', '{}', 'me', 1, NULL), ('c', 's', 'again', '{}', "
        "'me', 1, " +
        std::to_string(days_ago(1)) + ")");
    journal.prune(kThirtyDays);
    CHECK(journal.count("decisions") == 2);
    CHECK(journal.count("decisions WHERE item_key = 'a'") == 0);
}

TEST_CASE("an item of which one step is done and another is not has not ended, however long ago that was", "[prune]") {
    Pruned journal;
    PruneRules rules = kThirtyDays;
    rules.forget_items = std::chrono::hours{1};
    for (const PairState state : {PairState::first_refused, PairState::compensated, PairState::first_not_applied}) {
        const std::string key(to_string(state));
        journal.add_pair(key, PairState::done, 400, false, "pack");
        journal.add_pair(key, state, 400);
        journal.add_pair("only-" + key, state, 400);
    }
    journal.add_pair("done", PairState::done, 400, false, "pack");
    journal.add_pair("done", PairState::done, 400);
    journal.prune(rules);
    CHECK(journal.count("pairs") == 6);
    CHECK(journal.count("pairs WHERE item_key LIKE 'only-%' OR item_key = 'done'") == 0);
}

TEST_CASE("a great number of passes is cut down, whenever there are too many of them", "[prune]") {
    Pruned journal;
    journal.add_pass(days_ago(3), "r");
    journal.add_passes(105'000, 2);
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == kMostPasses + 1);
    CHECK(journal.count("passes WHERE pass = 105000") == 1);
    journal.add_passes(5'000, 1);
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == kMostPasses + 5'001);
    journal.add_passes(6'000, 1);
    journal.prune(kThirtyDays);
    CHECK(journal.count("passes") == kMostPasses + 1);
}

TEST_CASE("what is too much for one pass is forgotten in those that follow, the same day", "[prune]") {
    Pruned journal;
    journal.add_pass(days_ago(400), "r");
    journal.add_passes(5'000, 40, true);
    PruneRules rules = kThirtyDays;
    rules.items_come_once = true;
    rules.batches_a_pass = 8;
    journal.prune(rules);
    const auto left = journal.count("passes") + journal.count("pairs");
    CHECK(left > 0);
    CHECK(left < 5'000);
    journal.prune(rules);
    CHECK(journal.count("passes") + journal.count("pairs") == 0);
}

}  // namespace
}  // namespace lockstep::test
