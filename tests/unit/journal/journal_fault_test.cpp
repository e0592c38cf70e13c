// A disk that is full, or fails.

#include <sqlite3.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <thread>

#include "fault_vfs.hpp"
#include "journal/sqlite_journal.hpp"
#include "journal_contract.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

using testing::TemporaryDirectory;

namespace {

std::unique_ptr<Journal> open_in(const TemporaryDirectory& directory) {
    return open_sqlite_journal({directory.path(), "ship"}).value();
}

TEST_CASE("after a failed write or sync every further call fails with the same error", "[journal][fault]") {
    struct Case {
        int write_code;
        int sync_code;
        const char* says;
    };
    const Case fault = GENERATE(Case{SQLITE_FULL, 0, "no room is left on the device"},
                                Case{SQLITE_IOERR_WRITE, 0, "the disk failed"}, Case{0, SQLITE_IOERR_FSYNC, "the disk failed"});
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    REQUIRE(write_whole_pair(*journal, "before"));

    disk.fail_writes(fault.write_code);
    disk.fail_syncs(fault.sync_code);
    const auto failed = journal->write(sample_pair("o1", PairState::first_begun), Durability::synced);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().failure == Failure::journal);
    CHECK_THAT(failed.error().text, Catch::Contains(fault.says) && Catch::Contains(directory / "ship.sqlite3"));

    // The disk is well again, but what became of the pages that it refused is unknown.
    disk.fail_writes(0);
    disk.fail_syncs(0);
    const std::string text = failed.error().text;
    CHECK(journal->write(sample_pair("o2", PairState::first_begun), Durability::ordered).error().text == text);
    CHECK(journal->find("before", "ship").error().text == text);
    CHECK(journal->unfinished().error().text == text);
    CHECK(journal->flush().error().text == text);
    CHECK(journal->begin_run({}).error().text == text);
    CHECK(journal->end_pass("r", 1, {}, "").error().text == text);
    const int syncs = disk.syncs();
    CHECK(journal->close().error().text == text);
    CHECK(disk.syncs() == syncs);

    journal.reset();
    journal = open_in(directory);
    CHECK(journal->find("before", "ship")->has_value());
}

TEST_CASE("where a killed run's log cannot be synced nothing is begun, no second sync is tried, and the log stays",
          "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    const TemporaryDirectory killed;
    {
        auto journal = open_in(directory);
        REQUIRE(write_whole_pair(*journal, "before"));
        for (const char* name : {"ship.sqlite3", "ship.sqlite3-wal"}) std::filesystem::copy(directory / name, killed / name);
    }
    disk.fail_syncs(SQLITE_IOERR_FSYNC);
    const int syncs = disk.syncs();
    const auto failed = open_sqlite_journal({killed.path(), "ship"});
    REQUIRE_FALSE(failed);
    CHECK_THAT(failed.error().text, Catch::Contains("the disk failed"));
    CHECK(disk.syncs() == syncs + 1);
    CHECK(std::filesystem::file_size(killed / "ship.sqlite3-wal") > 0);
    disk.fail_syncs(0);
    CHECK(open_in(killed)->find("before", "ship")->has_value());
}

TEST_CASE("a failed commit is told to everyone who waits for it", "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    disk.fail_syncs(SQLITE_IOERR_FSYNC);
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
            if (!journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::synced)) ++failures;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(failures == 8);
}

TEST_CASE("an ordered write that fails is told by the next call that waits", "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    disk.fail_writes(SQLITE_FULL);
    CHECK(journal->write(sample_pair("o1", PairState::first_begun), Durability::ordered));
    CHECK_FALSE(journal->unfinished());
    CHECK_FALSE(journal->write(sample_pair("o2", PairState::first_begun), Durability::synced));
}

TEST_CASE("after a failed write it still tells which pairs are open on record, and what was to be written of them",
          "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    REQUIRE(write_whole_pair(*journal, "before"));
    for (const char* key : {"ended", "half"}) {
        for (const PairState state : {PairState::first_begun, PairState::first_done, PairState::second_begun})
            REQUIRE(journal->write(sample_pair(key, state), Durability::synced));
    }
    disk.fail_writes(SQLITE_FULL);
    REQUIRE(journal->write(sample_pair("ended", PairState::done), Durability::ordered));
    REQUIRE_FALSE(journal->write(sample_pair("never", PairState::first_begun), Durability::synced));
    const auto open = journal->open_on_record();
    REQUIRE(open);
    REQUIRE(open->size() == 2);
    CHECK(open->at(0).item_key == "ended");
    CHECK(open->at(0).state == PairState::done);
    CHECK(open->at(1).item_key == "half");
    CHECK(open->at(1).state == PairState::second_begun);
}

TEST_CASE("a failed copy of the log into the database is not passed over", "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    REQUIRE(write_whole_pair(*journal, "warm-up"));  // a new log syncs its header
    disk.fail_syncs(SQLITE_IOERR_FSYNC);             // ordered writes sync nothing, so only a checkpoint can meet this
    Result<std::vector<UnfinishedPair>> read;
    for (int i = 0; i < 5000 && (i == 0 || read); ++i) {
        Pair pair = sample_pair(std::to_string(i), PairState::first_begun);
        pair.item.assign(4000, 'x');  // a page each
        (void)journal->write(pair, Durability::ordered);
        if (i % 100 == 99) read = journal->unfinished();
    }
    REQUIRE_FALSE(read);
    CHECK_THAT(read.error().text, Catch::Contains("copying its write-ahead log into the database"));
}

TEST_CASE("what was told costs nobody a run where it cannot be kept", "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    REQUIRE(write_whole_pair(*journal, "before"));
    journal->keep_told_records({"a"});
    REQUIRE(journal->close());
    journal = open_in(directory);
    journal->keep_told_records({"b"});
    disk.fail_writes(SQLITE_FULL);
    CHECK(journal->close());
    disk.fail_writes(0);
    journal.reset();
    journal = open_in(directory);
    CHECK(journal->told_records() == Digests{"a"});
    CHECK(journal->find("before", "ship")->has_value());
}

/// What a run does to its journal, and how far it was told to have come when something failed.
struct Told {
    std::vector<Error> errors;
    std::vector<std::string> begun;  ///< pairs whose second phase may have been begun: it was synced
    bool ended = false;              ///< the end of the pass was synced
};

Told use_journal(const std::string& directory) {
    Told told;
    const auto good = [&](const Result<void>& result) {
        if (!result) told.errors.push_back(result.error());
        return result.has_value();
    };
    auto opened = open_sqlite_journal({directory, "ship"});
    if (!opened) {
        told.errors.push_back(opened.error());
        return told;
    }
    Journal& journal = **opened;
    bool sound = good(
        journal.begin_run({.run_id = "r", .started_ms = 1, .guardian_pid = 2, .host = "h", .command = "run", .lock = "/l"}));
    for (const char* key : {"a", "b", "c"}) {
        sound = sound && good(journal.write(sample_pair(key, PairState::first_begun), Durability::synced)) &&
                good(journal.write(sample_pair(key, PairState::first_done), Durability::ordered)) &&
                good(journal.write(sample_pair(key, PairState::second_begun), Durability::synced));
        if (!sound) break;
        told.begun.emplace_back(key);
        sound = good(journal.write(sample_pair(key, PairState::done), Durability::ordered));
    }
    told.ended = sound && good(journal.end_pass("r", 1, {}, "all items done"));
    (void)good(journal.close());
    return told;
}

void check_nothing_is_lost(const std::string& directory, const Told& told) {
    auto journal = open_sqlite_journal({directory, "ship"});
    INFO((journal ? "" : journal.error().text));
    REQUIRE(journal);
    for (const std::string& key : told.begun) {
        const auto found = (*journal)->find(key, "ship");
        REQUIRE(found);
        REQUIRE(found->has_value());
        const PairState state = (*found)->state;
        INFO(key << " is " << to_string(state));
        CHECK((state == PairState::done || (state == PairState::second_begun && !told.ended)));
    }
    REQUIRE(write_whole_pair(**journal, "new"));
    REQUIRE((*journal)->close());
}

TEST_CASE("whichever call of the disk fails, it is told, and nothing that was synced is lost", "[journal][fault]") {
    using Call = FaultyDisk::Call;
    struct Case {
        Call call;
        int code;
        const char* says;
    };
    const Case fault =
        GENERATE(Case{Call::write, SQLITE_FULL, "no room is left"}, Case{Call::write, SQLITE_IOERR_WRITE, "the disk failed"},
                 Case{Call::sync, SQLITE_IOERR_FSYNC, "the disk failed"}, Case{Call::sync, SQLITE_FULL, "no room is left"},
                 Case{Call::truncate, SQLITE_IOERR_TRUNCATE, "the disk failed"}, Case{Call::truncate, SQLITE_FULL, "no room"},
                 Case{Call::open, SQLITE_CANTOPEN, "cannot be opened"}, Case{Call::open, SQLITE_IOERR, "the disk failed"});
    const bool used_before = GENERATE(false, true);
    int points = 0;
    int untold = 0;
    for (int nth = 1;; ++nth) {
        FaultyDisk disk;
        const TemporaryDirectory directory;
        if (used_before) REQUIRE(write_whole_pair(*open_in(directory), "before"));
        disk.fail_once(fault.call, nth, fault.code);
        const Told told = use_journal(directory.path());
        const bool failed = disk.has_failed();
        const bool harmless = disk.has_failed_to_make_room();
        disk.fail_once(Call::none, 0, 0);
        INFO("call " << static_cast<int>(fault.call) << ", number " << nth << ", code " << fault.code);
        for (const Error& error : told.errors) {
            CHECK(error.failure == Failure::journal);
            CHECK_THAT(error.text, Catch::Contains(fault.says) && Catch::Contains(directory / "ship.sqlite3"));
        }
        if (failed && told.errors.empty() && !harmless) ++untold;
        check_nothing_is_lost(directory.path(), told);
        if (!failed) break;
        ++points;
    }
    CAPTURE(static_cast<int>(fault.call), fault.code, used_before);
    CHECK(points > 0);
    CHECK(untold == 0);
}

TEST_CASE("a pair alone costs two syncs, and nothing that is synced already is synced again", "[journal][fault]") {
    FaultyDisk disk;
    const TemporaryDirectory directory;
    auto journal = open_in(directory);
    REQUIRE(write_whole_pair(*journal, "warm-up"));
    REQUIRE(journal->unfinished());
    const int before = disk.syncs();
    for (int i = 0; i < 10; ++i) REQUIRE(write_whole_pair(*journal, std::to_string(i)));
    CHECK(disk.syncs() == before + 20);
    REQUIRE(journal->flush());
    REQUIRE(journal->flush());
    CHECK(disk.syncs() == before + 21);
}

}  // namespace
}  // namespace lockstep::test
