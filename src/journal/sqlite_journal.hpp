#pragma once
// The journal in an SQLite database (WAL), with one writer at a time that commits whatever has queued up.

#include <memory>

#include "journal/journal.hpp"
#include "journal/prune.hpp"

namespace lockstep {

/// `.local/state/lockstep` under the passwd home of the effective uid, `/var/lib/lockstep` for root. Never by the
/// environment, for cron's and the shell's differ.
Result<std::string> default_state_directory();

struct SqliteJournalOptions {
    std::string state_directory;  ///< created (mode 0700) if missing, parents included; empty: default_state_directory()
    std::string job;
    std::optional<PruneRules> prune =
        std::nullopt;  ///< applied once a day, when the journal is opened; unset: everything is kept
};

/// Where open_sqlite_journal() would put the database: absolute. Touches nothing.
Result<std::string> sqlite_journal_path(const SqliteJournalOptions& options);

/// Opens or creates `<job>.sqlite3` (mode 0600) in the state directory and takes flock(2) on `<job>.run` beside it.
/// Errors: Failure::busy when another run holds that lock (a run may have named another lock directory for the same job);
/// Failure::os, no thread or descriptor; Failure::journal with what is wrong for all else: not a database, another program's, a
/// newer schema, read-only, full.
Result<std::unique_ptr<Journal>> open_sqlite_journal(const SqliteJournalOptions& options);

}  // namespace lockstep
