#include "run/told_records.hpp"

#include <catch2/catch.hpp>

#include <string>

#include "journal/sqlite_journal.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep {
namespace {

/// One pass that finds these bad records. @return how many of them an earlier pass told of
std::size_t pass(const testing::TemporaryDirectory& directory, std::size_t from, std::size_t to, bool all_read = true) {
    auto journal = open_sqlite_journal({directory.path(), "ship"}).value();
    ToldRecords told(*journal);
    std::size_t before = 0;
    for (std::size_t i = from; i < to; ++i) before += told.told_before("items.ndjson:" + std::to_string(i)) ? 1 : 0;
    told.keep(all_read);
    REQUIRE(journal->close());
    return before;
}

TEST_CASE("what was told is forgotten once a pass that read all has not met it", "[told_records]") {
    const testing::TemporaryDirectory directory;
    CHECK(pass(directory, 0, 3) == 0);
    CHECK(pass(directory, 0, 1, false) == 1);
    CHECK(pass(directory, 0, 3) == 3);
    CHECK(pass(directory, 0, 1) == 1);
    CHECK(pass(directory, 0, 3) == 1);
}

TEST_CASE("however many records are no items, only so many are remembered", "[told_records]") {
    const testing::TemporaryDirectory directory;
    const std::size_t many = ToldRecords::kMost + 500;
    CHECK(pass(directory, 0, many) == 0);
    CHECK(pass(directory, many, 2 * many, false) == 0);
    CHECK(open_sqlite_journal({directory.path(), "ship"}).value()->told_records().size() == ToldRecords::kMost);
    CHECK(pass(directory, many, 2 * many) == ToldRecords::kMost);
}

}  // namespace
}  // namespace lockstep
