#pragma once
// SQLite as objects: a connection, a prepared statement, and errors that tell a person what to do.

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace lockstep {

/// A prepared statement. Texts that are bound must live until the next reset().
class Statement {
  public:
    Statement() = default;

    Statement& bind(int index, std::string_view text);
    Statement& bind(int index, std::int64_t value);

    /// One step. @return SQLITE_ROW, SQLITE_DONE, or an error code, which SqliteDb::failure() explains.
    int step();
    /// Ends what step() began (for a SELECT: its read transaction, which would hold up checkpoints).
    void reset();

    std::string text(int column) const;
    std::int64_t integer(int column) const;

  private:
    friend class SqliteDb;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection, used by one thread at a time. Its statements must go before it.
class SqliteDb {
  public:
    /// Opens an existing file for reading and writing. Its write-ahead log stays when it is closed, unless
    /// remove_write_ahead_log_at_close() was called. Error: Failure::journal.
    static Result<SqliteDb> open(const std::string& path);

    /// Runs statements whose rows do not matter. `doing` names the operation in the error.
    Result<void> run(const char* sql, std::string_view doing);
    /// The first column of the first row, as an integer.
    Result<std::int64_t> number(const char* sql, std::string_view doing);
    Result<Statement> prepare(std::string_view sql);
    /// Steps a statement that returns no row, and resets it.
    Result<void> finish(Statement& statement, std::string_view doing);
    /// Calls `row`, which gives a Result<void>, for each row of a SELECT until there is an error, and resets the statement.
    template <typename Row>
    Result<void> for_each_row(Statement& statement, std::string_view doing, const Row& row) {
        Result<void> read;
        int code = SQLITE_ROW;
        while (read && (code = statement.step()) == SQLITE_ROW) read = row(std::as_const(statement));
        if (read && code != SQLITE_DONE) read = std::unexpected(failure(doing, code));
        statement.reset();
        return read;
    }

    /// "journal /x/a.sqlite3: writing a pair: no room is left on the device; free some, then start again", from a result
    /// code of the call that has just failed on this connection.
    Error failure(std::string_view doing, int code) const;

    sqlite3* handle() const { return db_.get(); }
    const std::string& path() const { return path_; }

  private:
    struct Close {
        void operator()(sqlite3* db) const { ::sqlite3_close_v2(db); }
    };
    SqliteDb(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
    /// Of the last call that failed on the database's file or its log; 0 if none did.
    int last_errno() const;

    std::string path_;
    std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace lockstep
