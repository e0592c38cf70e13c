#pragma once
// The file that SQLite appends its transactions to, and what we do to it behind SQLite's back.

#include "journal/sqlite_db.hpp"

namespace lockstep {

/// fsync of the write-ahead log, which covers every commit so far.
Result<void> sync_write_ahead_log(SqliteDb& db);

/// Copies what the log holds into the database, as far as no reader still needs the old state (PASSIVE: it waits for nobody).
Result<void> copy_write_ahead_log(SqliteDb& db);

/// The connection will not copy the log when it is closed, should it be the last one.
void keep_write_ahead_log(SqliteDb& db);

/// The length of the log's file. An append changes it, so that its sync commits the file system's journal, too, and waits for
/// what else that holds; a sync of bytes written inside the file does not, and takes half as long or less. So the file is made
/// longer ahead of time, in steps, by zeros, which SQLite takes for no frames of its (their salt and checksum are wrong).
class LogRoom {
  public:
    explicit LogRoom(SqliteDb& db) : db_(&db) {}

    /// To be called inside a write transaction, for another program's frames may come at any other moment. What cannot be done
    /// does not matter, and is not told.
    /// @param frames  how many the log holds
    void make(int frames);

  private:
    SqliteDb* db_;
    sqlite3_int64 size_ = 0;  // of the file, when we looked last
};

}  // namespace lockstep
