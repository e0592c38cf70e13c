#pragma once
// The file that SQLite appends its transactions to, and what we do to it behind SQLite's back.

#include "journal/sqlite_db.hpp"

namespace lockstep {

/// Are the database and its log the files of their names still? What is written into a file that was moved or deleted, the
/// next run does not find. Error: Failure::journal.
/// @param frames  how many the log holds; without any there may be none
Result<void> check_in_place(SqliteDb& db, int frames);

/// fsync of the write-ahead log, which covers every commit so far.
Result<void> sync_write_ahead_log(SqliteDb& db);

/// Copies what the log holds into the database, as far as no reader still needs the old state (PASSIVE: it waits for nobody).
Result<void> copy_write_ahead_log(SqliteDb& db);

/// Has a run that was killed, or that uses it now, left something in it?
bool has_write_ahead_log(const std::string& path);

/// When the connection is closed, as the last one, what the log still holds is copied, and the log is removed. Without this
/// call it stays: after an error it may be the only true copy, and a second sync of it, which SQLite would do, proves nothing.
void remove_write_ahead_log_at_close(SqliteDb& db);

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
