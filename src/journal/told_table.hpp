#pragma once
// Digests of what passes told of records that are no items, so that later ones do not tell it again.

#include "journal/journal.hpp"
#include "journal/sqlite_db.hpp"

namespace lockstep {

Result<Digests> read_told_records(SqliteDb& db);

/// The table holds these and no others when this returns; after an error it is as it was. Not synced: after a power cut the
/// records are told once more.
Result<void> write_told_records(SqliteDb& db, const Digests& digests);

}  // namespace lockstep
