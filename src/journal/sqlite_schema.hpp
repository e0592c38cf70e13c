#pragma once
// What the journal's database looks like, and how an older one becomes the present one.

#include <span>

#include "journal/sqlite_db.hpp"

namespace lockstep {

/// `PRAGMA application_id`: "lsjl". file(1) and we know a journal by it.
inline constexpr std::int64_t kJournalApplicationId = 0x6c736a6c;

/// Element n leads from version n (`PRAGMA user_version`) to version n + 1; the first creates the tables.
std::span<const char* const> journal_migrations();

/// Makes the database a journal of the newest version, one transaction a step; checks first that it is ours.
/// Errors: Failure::journal for another program's database, a newer version, and all that can fail in a file.
Result<void> bring_up_to_date(SqliteDb& db, std::span<const char* const> migrations);

}  // namespace lockstep
