#include "journal/pair_table.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kPutPair = R"sql(
INSERT INTO pairs (item_key, step, state, unfinished, generation, attempt, pair_attempts, item, definition_id, request, outputs,
                   reason, run_id, begun_ms, changed_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (item_key, step) DO UPDATE SET
    state = ?3, unfinished = ?4, generation = ?5, attempt = ?6, pair_attempts = ?7, item = ?8, definition_id = ?9, request = ?10,
    outputs = ?11, reason = ?12, run_id = ?13, begun_ms = ?14, changed_ms = ?15
)sql";

// One and the same run may be begun again after a busy lock.
constexpr std::string_view kPutRun =
    "INSERT OR REPLACE INTO runs (run_id, started_ms, guardian_pid, host, command) VALUES (?1, ?2, ?3, ?4, ?5)";

constexpr std::string_view kPutPass = R"sql(
INSERT INTO passes (run_id, pass, begun_ms, ended_ms, done, failed, parked, left_over, skipped, open, ended_because)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
)sql";

constexpr std::string_view kFind = R"sql(
SELECT item_key, step, state, generation, attempt, pair_attempts, item, definitions.text, request, outputs, reason, run_id, begun_ms,
       changed_ms
FROM pairs JOIN definitions ON definitions.id = definition_id
WHERE item_key = ?1 AND step = ?2
)sql";

constexpr std::string_view kUnfinished = R"sql(
SELECT item_key, step, state, generation, attempt, pair_attempts, item, definitions.text, request, outputs, reason, run_id, begun_ms,
       changed_ms
FROM pairs JOIN definitions ON definitions.id = definition_id
WHERE unfinished = 1 ORDER BY pairs.begun_ms, pairs.id
)sql";

Result<void> prepare_into(SqliteDb& db, Statement& statement, std::string_view sql) {
    auto prepared = db.prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    statement = std::move(*prepared);
    return {};
}

}  // namespace

std::string pair_key(const std::string& item_key, const std::string& step) {
    std::string key;
    key.reserve(step.size() + 1 + item_key.size());
    key.append(step).push_back('\0');
    return key.append(item_key);
}

Result<PairWriter> PairWriter::create(SqliteDb& db) {
    PairWriter writer;
    writer.db_ = &db;
    for (const auto& [statement, sql] :
         {std::pair{&writer.put_pair_, kPutPair}, std::pair{&writer.put_run_, kPutRun}, std::pair{&writer.put_pass_, kPutPass},
          std::pair{&writer.add_definition_, std::string_view("INSERT INTO definitions (text) VALUES (?1)")},
          std::pair{&writer.find_definition_, std::string_view("SELECT id FROM definitions WHERE text = ?1")}}) {
        if (auto prepared = prepare_into(db, *statement, sql); !prepared) return std::unexpected(std::move(prepared.error()));
    }
    return writer;
}

Result<std::int64_t> PairWriter::definition_id(const std::string& text) {
    if (const auto known = definitions_.find(text); known != definitions_.end()) return known->second;
    const int code = find_definition_.bind(1, text).step();
    std::int64_t id = code == SQLITE_ROW ? find_definition_.integer(0) : 0;
    find_definition_.reset();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return std::unexpected(db_->failure("looking for a definition", code));
    if (code == SQLITE_DONE) {
        if (auto added = db_->finish(add_definition_.bind(1, text), "writing a definition"); !added)
            return std::unexpected(added.error());
        id = ::sqlite3_last_insert_rowid(db_->handle());
    }
    definitions_.emplace(text, id);
    return id;
}

Result<void> PairWriter::put(const Pair& pair) {
    const auto definition = definition_id(pair.definition);
    if (!definition) return std::unexpected(definition.error());
    put_pair_.bind(1, pair.item_key).bind(2, pair.step).bind(3, to_string(pair.state));
    put_pair_.bind(4, is_open(pair.state) || pair.state == PairState::parked ? 1 : 0);
    put_pair_.bind(5, pair.generation).bind(6, pair.attempt).bind(7, pair.pair_attempts);
    put_pair_.bind(8, pair.item).bind(9, *definition).bind(10, pair.request).bind(11, pair.outputs).bind(12, pair.reason);
    put_pair_.bind(13, pair.run_id).bind(14, pair.begun_ms).bind(15, pair.changed_ms);
    return db_->finish(put_pair_, "writing a pair");
}

Result<void> PairWriter::put(const RunStart& run) {
    put_run_.bind(1, run.run_id).bind(2, run.started_ms).bind(3, run.guardian_pid).bind(4, run.host).bind(5, run.command);
    return db_->finish(put_run_, "writing the start of a run");
}

Result<void> PairWriter::put(const PassRow& pass) {
    const PassTotals& totals = pass.totals;
    put_pass_.bind(1, pass.run_id).bind(2, pass.pass).bind(3, totals.begun_ms).bind(4, pass.ended_ms);
    put_pass_.bind(5, totals.done).bind(6, totals.failed).bind(7, totals.parked).bind(8, totals.left).bind(9, totals.skipped);
    put_pass_.bind(10, totals.open).bind(11, pass.ended_because);
    return db_->finish(put_pass_, "writing the end of a pass");
}

Result<PairReader> PairReader::create(SqliteDb& db) {
    PairReader reader;
    reader.db_ = &db;
    for (const auto& [statement, sql] : {std::pair{&reader.find_, kFind}, std::pair{&reader.unfinished_, kUnfinished}}) {
        if (auto prepared = prepare_into(db, *statement, sql); !prepared) return std::unexpected(std::move(prepared.error()));
    }
    return reader;
}

Result<Pair> PairReader::row(const Statement& statement) const {
    const std::string state = statement.text(2);
    const auto known = pair_state_from(state);
    if (!known) {
        return fail(Failure::journal,
                    fmt::format("journal {}: item {}, step {}: there is no state \"{}\"; was the file edited by hand?",
                                db_->path(), printable(statement.text(0)), statement.text(1), printable(state)));
    }
    Pair pair;
    pair.item_key = statement.text(0);
    pair.step = statement.text(1);
    pair.state = *known;
    pair.generation = static_cast<int>(statement.integer(3));
    pair.attempt = static_cast<int>(statement.integer(4));
    pair.pair_attempts = static_cast<int>(statement.integer(5));
    pair.item = statement.text(6);
    pair.definition = statement.text(7);
    pair.request = statement.text(8);
    pair.outputs = statement.text(9);
    pair.reason = statement.text(10);
    pair.run_id = statement.text(11);
    pair.begun_ms = statement.integer(12);
    pair.changed_ms = statement.integer(13);
    return pair;
}

Result<std::optional<Pair>> PairReader::find(const std::string& item_key, const std::string& step) {
    const int code = find_.bind(1, item_key).bind(2, step).step();
    Result<std::optional<Pair>> found = std::nullopt;
    if (code == SQLITE_ROW) {
        if (auto pair = row(find_)) {
            found = std::move(*pair);
        } else {
            found = std::unexpected(std::move(pair.error()));
        }
    } else if (code != SQLITE_DONE) {
        found = std::unexpected(db_->failure("looking for a pair", code));
    }
    find_.reset();
    return found;
}

Result<std::vector<Pair>> PairReader::unfinished() {
    std::vector<Pair> pairs;
    for (;;) {
        const int code = unfinished_.step();
        if (code == SQLITE_DONE) break;
        Result<Pair> pair =
            code == SQLITE_ROW ? row(unfinished_) : std::unexpected(db_->failure("reading the open pairs", code));
        if (!pair) {
            unfinished_.reset();
            return std::unexpected(std::move(pair.error()));
        }
        pairs.push_back(std::move(*pair));
    }
    unfinished_.reset();
    return pairs;
}

}  // namespace lockstep
