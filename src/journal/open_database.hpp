#pragma once
// The database of a journal, made where there is none, and brought to where a run can begin.

#include <string>

#include "journal/sqlite_db.hpp"

namespace lockstep {

/// Opens it for its one writer: of the newest version, with a write-ahead log, and what a killed run left in that on the disk.
/// Error: Failure::journal.
Result<SqliteDb> open_for_writing(const std::string& path);

/// Items with the same keys, done by another job, would pass for done, and its idempotency keys are others.
/// Error: Failure::journal: it is the journal of another job than this one.
Result<void> check_whose_it_is(SqliteDb& db, const std::string& job);

}  // namespace lockstep
