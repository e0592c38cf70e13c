#include "journal/write_ahead_log.hpp"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "journal/journal_reader.hpp"
#include "journal_contract.hpp"
#include "sqlite_file.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

using testing::TemporaryDirectory;

namespace {

TEST_CASE("a closed journal leaves one database and an empty run file", "[journal]") {
    const TemporaryDirectory directory;
    auto journal = open_in(directory.path());
    for (int i = 0; i < 500; ++i)
        REQUIRE(journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::ordered));
    REQUIRE(journal->close());
    CHECK_FALSE(std::filesystem::exists(directory / "ship.sqlite3-wal"));
    CHECK(std::filesystem::file_size(directory / "ship.run") == 0);
    CHECK(query(directory / "ship.sqlite3", "SELECT count(*), min(state) FROM pairs") == "500|first-begun\n");
}

TEST_CASE("a look leaves a dead run's log to the next run, and no file that was not there", "[journal]") {
    const TemporaryDirectory directory;
    const std::string path = directory / "ship.sqlite3";
    const auto look = [&] {
        auto reader = JournalReader::open({directory.path(), "ship"});
        REQUIRE(reader);
        REQUIRE(*reader);
        return (*reader)->unfinished()->size();
    };
    {
        auto journal = open_in(directory.path());
        REQUIRE(journal->write(sample_pair("o1", PairState::first_begun), Durability::synced));
        for (const char* suffix : {"", "-wal"})  // as a kill leaves them
            std::filesystem::copy(path + suffix, directory / ("killed.sqlite3" + std::string(suffix)));
    }
    CHECK(look() == 1);
    CHECK_FALSE(std::filesystem::exists(path + "-wal"));
    CHECK_FALSE(std::filesystem::exists(path + "-shm"));

    for (const char* suffix : {"", "-wal"}) {
        std::filesystem::remove(path + suffix);
        std::filesystem::rename(directory / ("killed.sqlite3" + std::string(suffix)), path + suffix);
    }
    CHECK(look() == 1);
    CHECK(std::filesystem::exists(path + "-wal"));
    REQUIRE(open_in(directory.path())->close());
    CHECK_FALSE(std::filesystem::exists(path + "-wal"));
    CHECK(query(path, "SELECT item_key, state FROM pairs") == "o1|first-begun\n");
}

TEST_CASE("a long run does not let the write-ahead log grow", "[journal]") {
    const TemporaryDirectory directory;
    auto journal = open_in(directory.path());
    for (int i = 0; i < 20'000; ++i) {
        REQUIRE(journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::ordered));
        if (i % 200 == 0) REQUIRE(journal->unfinished());
    }
    REQUIRE(journal->flush());
    // Without checkpoints it would be many times as much; how far the thread that makes them lags behind is the machine's
    // affair.
    CHECK(std::filesystem::file_size(directory / "ship.sqlite3-wal") < 60'000'000);
}

TEST_CASE("the write-ahead log's file grows in steps, not with each transaction", "[journal]") {
    const TemporaryDirectory directory;
    auto journal = open_in(directory.path());
    std::set<std::uintmax_t> sizes;
    for (int i = 0; i < 40; ++i) {
        REQUIRE(journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::synced));
        sizes.insert(std::filesystem::file_size(directory / "ship.sqlite3-wal"));
    }
    CHECK(sizes.size() <= 6);
}

TEST_CASE("another program that writes meanwhile loses nothing, and makes nothing be lost", "[journal]") {
    constexpr int kRows = 150;
    const TemporaryDirectory directory;
    auto journal = open_in(directory.path());
    std::thread other([&] {
        sqlite3* db = nullptr;
        if (::sqlite3_open((directory / "ship.sqlite3").c_str(), &db) != SQLITE_OK) std::abort();
        ::sqlite3_busy_timeout(db, 60'000);
        for (int i = 0; i < kRows; ++i) {
            ::sqlite3_exec(db,
                           "INSERT INTO decisions (item_key, step, verb, outputs, decided_by, decided_ms) "
                           "VALUES ('o1', 'ship', 'again', '{}', 'me', 1)",
                           nullptr, nullptr, nullptr);
        }
        ::sqlite3_close(db);
    });
    for (int i = 0; i < kRows; ++i)
        CHECK(journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::synced));
    other.join();
    CHECK(journal->pending_decisions()->size() == kRows);
    // As after a kill: whoever opens the copies has the log alone to go by.
    for (const char* suffix : {"", "-wal"}) {
        std::filesystem::copy(directory / ("ship.sqlite3" + std::string(suffix)),
                              directory / ("copy.sqlite3" + std::string(suffix)));
    }
    CHECK(
        query(
            directory / "copy.sqlite3",
            "SELECT (SELECT count(*) FROM pairs), (SELECT count(*) FROM decisions), (SELECT * FROM pragma_integrity_check)") ==
        "150|150|ok\n");
}

}  // namespace
}  // namespace lockstep::test
