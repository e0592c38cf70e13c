#pragma once
// What the journal's database looks like, and how an older one becomes the present one.

#include <span>

#include "journal/sqlite_db.hpp"

namespace lockstep {

/// `PRAGMA application_id`: "lsjl". file(1) and we know a journal by it.
inline constexpr std::int64_t kJournalApplicationId = 0x6c736a6c;

/// Element n leads from version n (`PRAGMA user_version`) to version n + 1; the first creates the tables.
std::span<const char* const> journal_migrations();

/// The version of a journal, 0 for a database that has nothing in it yet. Changes nothing.
/// Errors: Failure::journal for another program's database, one newer than `newest`, and all that can fail in a file.
Result<std::int64_t> journal_version(SqliteDb& db, std::int64_t newest);

/// Makes the database a journal of the newest version, one transaction a step; checks first that it is ours.
/// Errors: those of journal_version().
Result<void> bring_up_to_date(SqliteDb& db, std::span<const char* const> migrations);

}  // namespace lockstep
