#include "journal/sqlite_db.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace lockstep {
namespace {

/// How long a commit waits for another program that writes to the file (somebody's sqlite3 shell).
constexpr int kBusyMs = 10'000;

/// What is wrong, and what to do, by SQLite's primary result code.
std::string explain(int code, const char* sqlite_text, int errno_value) {
    const std::string cause = errno_value != 0 ? fmt::format("{} ({})", sqlite_text, errno_text(errno_value)) : sqlite_text;
    switch (code & 0xff) {
        case SQLITE_NOTADB:
            return "this file is not an SQLite database; move it away, or name another directory with --state-dir";
        case SQLITE_CORRUPT:
            return fmt::format(
                "the file is damaged ({}); keep a copy of it and of its -wal file, save what can be read with `sqlite3 FILE "
                ".recover`, "
                "or move them away to start anew (lockstep then no longer knows which items are done)",
                cause);
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return fmt::format(
                "it cannot be written ({}); let uid {} write to the file and its directory, or name another with --state-dir",
                cause, ::geteuid());
        case SQLITE_CANTOPEN:
            if (errno_value == EMFILE || errno_value == ENFILE) return fmt::format("it cannot be opened ({})", cause);
            return fmt::format("it cannot be opened ({}); let uid {} read and write the file and its directory", cause,
                               ::geteuid());
        case SQLITE_FULL: return fmt::format("no room is left on the device ({}); free some, then start again", cause);
        case SQLITE_IOERR:
            return fmt::format(
                "the disk failed ({}); look into the kernel's log, then start again: what is journalled is found again", cause);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fmt::format(
                "another program has kept it locked for {} s ({}); end that (an open sqlite3 shell?), then start again",
                kBusyMs / 1000, cause);
        case SQLITE_ERROR:
            return fmt::format(
                "it is damaged, or not as lockstep made it ({}); keep a copy of it and of its -wal file, then bring back a "
                "whole one, "
                "or move them away to start anew (lockstep then no longer knows which items are done)",
                cause);
        default: return fmt::format("{} (SQLite code {})", cause, code);
    }
}

}  // namespace

Statement& Statement::bind(int index, std::string_view text) {
    // A failure to bind (out of memory) leaves NULL, which every column refuses: the step after it reports it.
    ::sqlite3_bind_text64(statement_.get(), index, text.data() != nullptr ? text.data() : "", text.size(), SQLITE_STATIC,
                          SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind(int index, std::int64_t value) {
    ::sqlite3_bind_int64(statement_.get(), index, value);
    return *this;
}

int Statement::step() { return ::sqlite3_step(statement_.get()); }

void Statement::reset() { ::sqlite3_reset(statement_.get()); }

std::string Statement::text(int column) const {
    const auto* bytes = ::sqlite3_column_text(statement_.get(), column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t Statement::integer(int column) const { return ::sqlite3_column_int64(statement_.get(), column); }

Result<SqliteDb> SqliteDb::open(const std::string& path) {
    sqlite3* handle = nullptr;
    const int code = ::sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    SqliteDb db(path, handle);  // to be closed even if the open failed
    if (code != SQLITE_OK) return std::unexpected(db.failure("opening it", code));
    ::sqlite3_extended_result_codes(handle, 1);
    ::sqlite3_busy_timeout(handle, kBusyMs);
    ::sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    // SQLite falls back to reading only where it may not write, and would fail much later.
    if (::sqlite3_db_readonly(handle, "main") == 1) return std::unexpected(db.failure("opening it", SQLITE_READONLY));
    return db;
}

Result<void> SqliteDb::run(const char* sql, std::string_view doing) {
    const int code = ::sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return std::unexpected(failure(doing, code));
    return {};
}

Result<std::int64_t> SqliteDb::number(const char* sql, std::string_view doing) {
    auto statement = prepare(sql);
    if (!statement) return std::unexpected(std::move(statement.error()));
    const int code = statement->step();
    if (code == SQLITE_ROW) return statement->integer(0);
    if (code == SQLITE_DONE) return 0;
    return std::unexpected(failure(doing, code));
}

Result<Statement> SqliteDb::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = ::sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                          &statement, nullptr);
    if (code != SQLITE_OK) return std::unexpected(failure("reading its schema", code));
    return Statement(statement);
}

Result<void> SqliteDb::finish(Statement& statement, std::string_view doing) {
    const int code = statement.step();
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        auto error = failure(doing, code);
        statement.reset();
        return std::unexpected(std::move(error));
    }
    statement.reset();
    return {};
}

Error SqliteDb::failure(std::string_view doing, int code) const {
    const int primary = code & 0xff;
    int errno_value = db_ && (primary == SQLITE_IOERR || primary == SQLITE_FULL) ? last_errno() : 0;
    if (db_ && primary == SQLITE_CANTOPEN) errno_value = ::sqlite3_system_errno(db_.get());
    // Of a statement that does not fit the schema only the message tells which table or column it is.
    const char* text = db_ && primary == SQLITE_ERROR ? ::sqlite3_errmsg(db_.get()) : ::sqlite3_errstr(code);
    return fail(Failure::journal, fmt::format("journal {}: {}: {}", path_, doing, explain(code, text, errno_value)),
                errno_value)
        .error();
}

// sqlite3_system_errno() tells errno as it was after the rollback, which is another call's.
int SqliteDb::last_errno() const {
    sqlite3_file* log = nullptr;
    int value = 0;
    if (::sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log)) == SQLITE_OK &&
        log != nullptr && log->pMethods != nullptr) {
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &value);
    }
    if (value == 0) (void)::sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_LAST_ERRNO, &value);
    return value;
}

}  // namespace lockstep
