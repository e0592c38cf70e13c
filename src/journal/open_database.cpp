#include "journal/open_database.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "journal/sqlite_schema.hpp"
#include "journal/state_directory.hpp"
#include "journal/write_ahead_log.hpp"

namespace lockstep {

namespace {

constexpr std::int64_t kRunsNameTheirJob = 6;  // from this version on

Result<void> use_write_ahead_log(SqliteDb& db) {
    auto mode = db.prepare("PRAGMA journal_mode = WAL");
    if (!mode) return std::unexpected(std::move(mode.error()));
    int code = mode->step();
    const std::string got = code == SQLITE_ROW ? mode->text(0) : "";
    if (code == SQLITE_ROW) code = mode->step();  // the row comes before the commit, which may fail
    if (code != SQLITE_DONE) return std::unexpected(db.failure("switching to a write-ahead log", code));
    if (got != "wal") {
        return fail(Failure::journal,
                    fmt::format("journal {}: its file system has no shared memory for a write-ahead log (SQLite stays at "
                                "\"{}\"); name another directory with --state-dir",
                                db.path(), got));
    }
    return db.run("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL", "setting it up");
}

}  // namespace

Result<void> check_whose_it_is(SqliteDb& db, const std::string& job) {
    const auto version = db.number("PRAGMA user_version", "reading whose it is");
    if (!version) return std::unexpected(version.error());
    if (*version < kRunsNameTheirJob) return {};
    auto newest = db.prepare("SELECT job FROM runs ORDER BY rowid DESC LIMIT 1");
    if (!newest) return std::unexpected(std::move(newest.error()));
    return db.for_each_row(*newest, "reading whose it is", [&](const Statement& row) -> Result<void> {
        const std::string other = row.text(0);
        if (other.empty() || other == job) return {};
        return fail(Failure::journal,
                    fmt::format("journal {}: it is the journal of the job {}, not of {}; move it away, or name "
                                "another directory with --state-dir",
                                db.path(), other, job));
    });
}

Result<SqliteDb> open_for_writing(const std::string& path) {
    // Only here and before SQLite opens it: closing any descriptor of the file would drop SQLite's own locks on it.
    if (auto file = open_own_file(path); !file) return std::unexpected(std::move(file.error()));
    const bool left_a_log = has_write_ahead_log(path);

    auto db = SqliteDb::open(path);
    if (!db) return db;
    const auto migrations = journal_migrations();
    if (auto ours = journal_version(*db, static_cast<std::int64_t>(migrations.size())); !ours)
        return std::unexpected(std::move(ours.error()));
    if (auto set = use_write_ahead_log(*db); !set) return std::unexpected(std::move(set.error()));
    if (auto newest = bring_up_to_date(*db, migrations); !newest) return std::unexpected(std::move(newest.error()));
    if (auto ours = check_whose_it_is(*db, std::filesystem::path(path).stem().native()); !ours)
        return std::unexpected(std::move(ours.error()));
    // SQLite syncs the directory that names its log, too, but says nothing when that fails.
    if (auto synced = sync_directory(std::filesystem::path(path).parent_path().native()); !synced)
        return std::unexpected(std::move(synced.error()));
    // What a killed run left in the log may be in the kernel's memory only. It is about to be acted on: it must not be gone
    // after a power cut. And the log begins anew, in the room that it has, while nobody waits for our end.
    if (left_a_log) {
        if (auto synced = sync_write_ahead_log(*db); !synced) return std::unexpected(std::move(synced.error()));
        if (auto copied = copy_write_ahead_log(*db); !copied) return std::unexpected(std::move(copied.error()));
    }
    return db;
}

}  // namespace lockstep
