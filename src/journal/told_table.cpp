#include "journal/told_table.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kDoing = "keeping what was told";

/// Runs the statement for each digest of `some` that is not among `others`.
Result<void> for_each_without(const Digests& some, const Digests& others, SqliteDb& db, std::string_view sql) {
    auto statement = db.prepare(sql);
    if (!statement) return std::unexpected(std::move(statement.error()));
    for (const std::string& digest : some) {
        if (others.contains(digest)) continue;
        if (auto done = db.finish(statement->bind(1, digest), kDoing); !done) return done;
    }
    return {};
}

Result<void> replace(SqliteDb& db, const Digests& digests) {
    const auto before = read_told_records(db);
    if (!before) return std::unexpected(before.error());
    if (auto gone = for_each_without(*before, digests, db, "DELETE FROM told_records WHERE digest = ?1"); !gone) return gone;
    return for_each_without(digests, *before, db, "INSERT INTO told_records (digest) VALUES (?1)");
}

}  // namespace

Result<Digests> read_told_records(SqliteDb& db) {
    auto all = db.prepare("SELECT digest FROM told_records");
    if (!all) return std::unexpected(std::move(all.error()));
    Digests digests;
    const auto read = db.for_each_row(*all, "reading what was told", [&](const Statement& row) -> Result<void> {
        digests.insert(row.text(0));
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return digests;
}

Result<void> write_told_records(SqliteDb& db, const Digests& digests) {
    if (auto begun = db.run("PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE", kDoing); !begun) return begun;
    auto done = replace(db, digests);
    if (done) done = db.run("COMMIT", kDoing);
    if (!done && ::sqlite3_get_autocommit(db.handle()) == 0) (void)db.run("ROLLBACK", "rolling back");
    return done;
}

}  // namespace lockstep
