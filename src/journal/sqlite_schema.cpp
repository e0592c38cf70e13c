#include "journal/sqlite_schema.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string>

namespace lockstep {
namespace {

// pairs: new rows go to the end of the table, only the index on the key is hit at random, so a long history costs a write
// next to nothing. `unfinished` is open or parked. A definition is the same for all pairs of a step: it is kept once.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE definitions (
    id    INTEGER PRIMARY KEY,
    text  TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE pairs (
    id             INTEGER PRIMARY KEY,
    item_key       TEXT NOT NULL,
    step           TEXT NOT NULL,
    state          TEXT NOT NULL,
    unfinished     INTEGER NOT NULL,
    generation     INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    pair_attempts  INTEGER NOT NULL,
    item           TEXT NOT NULL,
    definition_id  INTEGER NOT NULL REFERENCES definitions (id),
    request        TEXT NOT NULL,
    outputs        TEXT NOT NULL,
    reason         TEXT NOT NULL,
    run_id         TEXT NOT NULL,
    begun_ms       INTEGER NOT NULL,
    changed_ms     INTEGER NOT NULL,
    UNIQUE (item_key, step)
) STRICT;
CREATE INDEX unfinished_pairs ON pairs (begun_ms, id) WHERE unfinished = 1;
CREATE TABLE runs (
    run_id        TEXT PRIMARY KEY NOT NULL,
    started_ms    INTEGER NOT NULL,
    guardian_pid  INTEGER NOT NULL,
    host          TEXT NOT NULL,
    command       TEXT NOT NULL
) STRICT;
CREATE TABLE passes (
    id             INTEGER PRIMARY KEY,
    run_id         TEXT NOT NULL REFERENCES runs (run_id),
    pass           INTEGER NOT NULL,
    begun_ms       INTEGER NOT NULL,
    ended_ms       INTEGER NOT NULL,
    done           INTEGER NOT NULL,
    failed         INTEGER NOT NULL,
    parked         INTEGER NOT NULL,
    left_over      INTEGER NOT NULL,
    skipped        INTEGER NOT NULL,
    open           INTEGER NOT NULL,
    ended_because  TEXT NOT NULL
) STRICT;
)sql";

constexpr const char* kVersion2 = R"sql(
ALTER TABLE pairs ADD COLUMN parked_from TEXT NOT NULL DEFAULT 'pending';
ALTER TABLE pairs ADD COLUMN phase_begun_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pairs ADD COLUMN not_before_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pairs ADD COLUMN owes_steps INTEGER NOT NULL DEFAULT 0;
UPDATE pairs SET phase_begun_ms = begun_ms WHERE unfinished = 1;
ALTER TABLE passes ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0;
CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY,
    item_key    TEXT NOT NULL,
    step        TEXT NOT NULL,
    verb        TEXT NOT NULL,
    outputs     TEXT NOT NULL,
    decided_by  TEXT NOT NULL,
    decided_ms  INTEGER NOT NULL,
    applied_ms  INTEGER,
    outcome     TEXT
) STRICT;
CREATE INDEX pending_decisions ON decisions (id) WHERE applied_ms IS NULL;
)sql";

constexpr const char* kVersion3 = "ALTER TABLE runs ADD COLUMN lock TEXT NOT NULL DEFAULT '';";

constexpr const char* kVersion4 = "ALTER TABLE runs ADD COLUMN expect_every_ms INTEGER NOT NULL DEFAULT 0;";

constexpr const char* kVersion5 = "CREATE TABLE told_records (digest TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;";

// Few pairs fail, for most of them are done in the end: telling of them does not take a look at every pair.
constexpr const char* kVersion6 =
    "CREATE INDEX failed_pairs ON pairs (changed_ms, id) WHERE unfinished = 0 AND state <> 'done';"
    "ALTER TABLE runs ADD COLUMN job TEXT NOT NULL DEFAULT '';";

constexpr const char* kVersion7 = R"sql(
ALTER TABLE decisions ADD COLUMN definition TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN newest_pass INTEGER NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN newest_begun_ms INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET newest_begun_ms = started_ms;
)sql";

constexpr const char* kVersion8 =
    "ALTER TABLE decisions ADD COLUMN seen TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE pairs ADD COLUMN run_date TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE pruned (at_ms INTEGER NOT NULL) STRICT;"
    "INSERT INTO pruned VALUES (0);";

constexpr std::array kMigrations = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5, kVersion6, kVersion7, kVersion8};

/// Up to version 4 what version 5 keeps in told_records lay in a file beside the journal.
void remove_told_file(const std::string& path) {
    std::error_code ignored;
    for (const char* ending : {".told", ".told.new"})
        std::filesystem::remove(std::filesystem::path(path).replace_extension(ending), ignored);
}

Result<void> migrate_one(SqliteDb& db, const char* sql, std::int64_t version) {
    const std::string doing = fmt::format("bringing it to version {}", version);
    if (auto begun = db.run("BEGIN IMMEDIATE", doing); !begun) return begun;
    // Another process may have done it since somebody looked.
    const auto now = db.number("PRAGMA user_version", doing);
    Result<void> done = now ? Result<void>() : std::unexpected(now.error());
    if (now && *now < version) {
        const std::string all =
            fmt::format("{} PRAGMA application_id = {}; PRAGMA user_version = {};", sql, kJournalApplicationId, version);
        done = db.run(all.c_str(), doing);
    }
    if (done) done = db.run("COMMIT", doing);
    if (!done && ::sqlite3_get_autocommit(db.handle()) == 0) (void)db.run("ROLLBACK", "rolling back");
    return done;
}

}  // namespace

std::span<const char* const> journal_migrations() { return kMigrations; }

Result<std::int64_t> journal_version(SqliteDb& db, std::int64_t newest) {
    const auto application = db.number("PRAGMA application_id", "reading its header");
    if (!application) return application;
    const auto version = db.number("PRAGMA user_version", "reading its header");
    if (!version) return version;
    const auto objects = db.number("SELECT count(*) FROM sqlite_schema", "reading its schema");
    if (!objects) return objects;

    // Nothing in it yet: the file was made a moment ago, now or by a run that was killed right there.
    const bool fresh = *application == 0 && *version == 0 && *objects == 0;
    if (!fresh && (*application != kJournalApplicationId || *version < 1)) {
        return fail(
            Failure::journal,
            fmt::format("journal {}: this SQLite database belongs to another program (application_id {:#x}); move it away, or "
                        "name another directory with --state-dir",
                        db.path(), *application));
    }
    if (*version > newest) {
        return fail(
            Failure::journal,
            fmt::format("journal {}: it was written by a newer lockstep (schema version {}, this one knows {}); use that one",
                        db.path(), *version, newest));
    }
    return version;
}

Result<void> bring_up_to_date(SqliteDb& db, std::span<const char* const> migrations) {
    const auto newest = static_cast<std::int64_t>(migrations.size());
    const auto version = journal_version(db, newest);
    if (!version) return std::unexpected(version.error());
    for (std::int64_t next = *version; next < newest; ++next) {
        if (auto migrated = migrate_one(db, migrations[static_cast<std::size_t>(next)], next + 1); !migrated) return migrated;
    }
    if (*version < newest) remove_told_file(db.path());
    return {};
}

}  // namespace lockstep
