#include "journal/pair_table.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kPutPair = R"sql(
INSERT INTO pairs (item_key, step, state, unfinished, generation, attempt, pair_attempts, item, definition_id, request, outputs,
                   reason, run_id, begun_ms, changed_ms, parked_from, phase_begun_ms, not_before_ms, owes_steps, run_date)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
ON CONFLICT (item_key, step) DO UPDATE SET
    state = ?3, unfinished = ?4, generation = ?5, attempt = ?6, pair_attempts = ?7, item = ?8, definition_id = ?9, request = ?10,
    outputs = ?11, reason = ?12, run_id = ?13, begun_ms = ?14, changed_ms = ?15, parked_from = ?16, phase_begun_ms = ?17,
    not_before_ms = ?18, owes_steps = ?19, run_date = ?20
)sql";

// A loop says it at every pass.
constexpr std::string_view kPutRun =
    "INSERT OR REPLACE INTO runs (run_id, started_ms, guardian_pid, host, command, lock, expect_every_ms, job, newest_pass, "
    "newest_begun_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

constexpr std::string_view kPutPass = R"sql(
INSERT INTO passes (run_id, pass, begun_ms, ended_ms, done, failed, parked, left_over, skipped, open, ended_because,
                    recovered)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
)sql";

// Behind SELECT and the columns of pair_columns().
constexpr std::string_view kFind = "WHERE item_key = ?1 AND step = ?2";
constexpr std::string_view kOfItem = "WHERE item_key = ?1 ORDER BY pairs.id";
constexpr std::string_view kUnfinished = "WHERE unfinished = 1 ORDER BY pairs.begun_ms, pairs.id";
constexpr std::string_view kUnfinishedInBrief =
    "SELECT item_key, step, state, not_before_ms FROM pairs WHERE unfinished = 1 ORDER BY begun_ms, id";
// Word for word the condition of their index, else SQLite reads every pair that was ever done.
#define LOCKSTEP_FAILED_PAIRS "WHERE unfinished = 0 AND state <> 'done'"
constexpr std::string_view kFailed = LOCKSTEP_FAILED_PAIRS " ORDER BY changed_ms DESC, pairs.id DESC LIMIT ?1";
constexpr const char* kCountFailed = "SELECT count(*) FROM pairs " LOCKSTEP_FAILED_PAIRS;
#undef LOCKSTEP_FAILED_PAIRS

/// What PairReader::row() reads.
std::string select_pairs(std::int64_t version, std::string_view condition) {
    return fmt::format(
        "SELECT item_key, step, state, generation, attempt, pair_attempts, item, definitions.text, request, outputs, reason, "
        "run_id, begun_ms, changed_ms, parked_from, phase_begun_ms, not_before_ms, owes_steps, {} "
        "FROM pairs JOIN definitions ON definitions.id = definition_id {}",
        version < kPairsKeepTheirDate ? "''" : "run_date", condition);
}

constexpr std::string_view kMarkDecision = "UPDATE decisions SET applied_ms = ?2, outcome = ?3 WHERE id = ?1";

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
         {std::pair{&writer.begin_, std::string_view("BEGIN IMMEDIATE")},
          std::pair{&writer.commit_, std::string_view("COMMIT")}, std::pair{&writer.put_pair_, kPutPair},
          std::pair{&writer.put_run_, kPutRun}, std::pair{&writer.put_pass_, kPutPass},
          std::pair{&writer.mark_decision_, kMarkDecision},
          std::pair{&writer.add_definition_, std::string_view("INSERT INTO definitions (text) VALUES (?1)")},
          std::pair{&writer.find_definition_, std::string_view("SELECT id FROM definitions WHERE text = ?1")}}) {
        if (auto prepared = prepare_into(db, *statement, sql); !prepared) return std::unexpected(std::move(prepared.error()));
    }
    return writer;
}

Result<void> PairWriter::begin() { return db_->finish(begin_, "beginning a transaction"); }

Result<void> PairWriter::commit(std::string_view doing) { return db_->finish(commit_, doing); }

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
    put_pair_.bind(4, is_unfinished(pair) ? 1 : 0);
    put_pair_.bind(5, pair.generation).bind(6, pair.attempt).bind(7, pair.pair_attempts);
    put_pair_.bind(8, pair.item).bind(9, *definition).bind(10, pair.request).bind(11, pair.outputs).bind(12, pair.reason);
    put_pair_.bind(13, pair.run_id).bind(14, pair.begun_ms).bind(15, pair.changed_ms);
    put_pair_.bind(16, to_string(pair.parked_from)).bind(17, pair.phase_begun_ms).bind(18, pair.not_before_ms);
    put_pair_.bind(19, pair.owes_steps ? 1 : 0).bind(20, pair.run_date);
    return db_->finish(put_pair_, "writing a pair");
}

Result<void> PairWriter::put(const RunStart& run) {
    put_run_.bind(1, run.run_id).bind(2, run.started_ms).bind(3, run.guardian_pid).bind(4, run.host).bind(5, run.command);
    put_run_.bind(6, run.lock).bind(7, run.expect_every_ms).bind(8, run.job).bind(9, run.pass).bind(10, run.pass_begun_ms);
    return db_->finish(put_run_, "writing the start of a run");
}

Result<void> PairWriter::put(const PassRow& pass) {
    const PassTotals& totals = pass.totals;
    put_pass_.bind(1, pass.run_id).bind(2, pass.pass).bind(3, totals.begun_ms).bind(4, pass.ended_ms);
    put_pass_.bind(5, totals.done).bind(6, totals.failed).bind(7, totals.parked).bind(8, totals.left).bind(9, totals.skipped);
    put_pass_.bind(10, totals.open).bind(11, pass.ended_because).bind(12, totals.recovered);
    return db_->finish(put_pass_, "writing the end of a pass");
}

Result<void> PairWriter::put(const DecisionMark& mark) {
    if (mark.pair) {
        if (auto put_pair = put(*mark.pair); !put_pair) return put_pair;
    }
    mark_decision_.bind(1, mark.id).bind(2, mark.applied_ms).bind(3, mark.outcome);
    return db_->finish(mark_decision_, "marking a decision as applied");
}

Result<PairReader> PairReader::create(SqliteDb& db) {
    PairReader reader;
    reader.db_ = &db;
    const auto columns = decision_columns(db);
    if (!columns) return std::unexpected(columns.error());
    const std::string decisions = fmt::format("SELECT {} FROM decisions WHERE applied_ms IS NULL ORDER BY id", *columns);
    if (auto prepared = prepare_into(db, reader.decisions_, decisions); !prepared)
        return std::unexpected(std::move(prepared.error()));
    if (auto prepared = prepare_into(db, reader.unfinished_in_brief_, kUnfinishedInBrief); !prepared)
        return std::unexpected(std::move(prepared.error()));
    const auto version = db.number("PRAGMA user_version", "reading its header");
    if (!version) return std::unexpected(version.error());
    for (const auto& [statement, condition] :
         {std::pair{&reader.find_, kFind}, std::pair{&reader.of_item_, kOfItem}, std::pair{&reader.unfinished_, kUnfinished},
          std::pair{&reader.failed_, kFailed}}) {
        if (auto prepared = prepare_into(db, *statement, select_pairs(*version, condition)); !prepared)
            return std::unexpected(std::move(prepared.error()));
    }
    return reader;
}

Result<PairState> PairReader::state_in(const Statement& statement, int column) const {
    const std::string state = statement.text(column);
    if (const auto known = pair_state_from(state)) return *known;
    return fail(Failure::journal,
                fmt::format("journal {}: item {}, step {}: there is no state \"{}\"; was the file edited by hand?", db_->path(),
                            printable(statement.text(0)), statement.text(1), printable(state)));
}

Result<Pair> PairReader::row(const Statement& statement) const {
    const auto known = state_in(statement, 2);
    if (!known) return std::unexpected(known.error());
    const auto parked_from = state_in(statement, 14);
    if (!parked_from) return std::unexpected(parked_from.error());
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
    pair.parked_from = *parked_from;
    pair.phase_begun_ms = statement.integer(15);
    pair.not_before_ms = statement.integer(16);
    pair.owes_steps = statement.integer(17) != 0;
    pair.run_date = statement.text(18);
    return pair;
}

Result<std::optional<Pair>> PairReader::find(const std::string& item_key, const std::string& step) {
    auto found = all(find_.bind(1, item_key).bind(2, step), "looking for a pair");
    if (!found) return std::unexpected(std::move(found.error()));
    return found->empty() ? std::nullopt : std::optional(std::move(found->front()));
}

Result<std::vector<Pair>> PairReader::all(Statement& statement, std::string_view doing) {
    std::vector<Pair> pairs;
    const auto read = db_->for_each_row(statement, doing, [&](const Statement& row) -> Result<void> {
        auto pair = this->row(row);
        if (!pair) return std::unexpected(std::move(pair.error()));
        pairs.push_back(std::move(*pair));
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return pairs;
}

Result<std::vector<Pair>> PairReader::unfinished() { return all(unfinished_, "reading pairs"); }

Result<std::vector<UnfinishedPair>> PairReader::unfinished_in_brief() {
    std::vector<UnfinishedPair> pairs;
    const auto read = db_->for_each_row(unfinished_in_brief_, "reading pairs", [&](const Statement& row) -> Result<void> {
        const auto state = state_in(row, 2);
        if (!state) return std::unexpected(state.error());
        pairs.push_back({row.text(0), row.text(1), *state, row.integer(3)});
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return pairs;
}

Result<std::vector<Pair>> PairReader::failed(std::int64_t limit) { return all(failed_.bind(1, limit), "reading what failed"); }

Result<std::int64_t> PairReader::failed_count() { return db_->number(kCountFailed, "counting what failed"); }

Result<std::vector<Pair>> PairReader::of_item(const std::string& item_key) {
    return all(of_item_.bind(1, item_key), "reading pairs");
}

Result<std::vector<Decision>> PairReader::pending_decisions() {
    std::vector<Decision> decisions;
    const auto read = db_->for_each_row(decisions_, "reading the decisions", [&](const Statement& row) -> Result<void> {
        auto decision = decision_row(*db_, row);
        if (!decision) return std::unexpected(std::move(decision.error()));
        decisions.push_back(std::move(*decision));
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return decisions;
}

Result<std::string> decision_columns(SqliteDb& db) {
    const auto version = db.number("PRAGMA user_version", "reading its header");
    if (!version) return std::unexpected(version.error());
    return fmt::format("id, item_key, step, verb, outputs, decided_by, decided_ms, {}, {}",
                       *version < kDecisionsRedefine ? "''" : "definition", *version < kDecisionsSaw ? "''" : "seen");
}

Result<Decision> decision_row(const SqliteDb& db, const Statement& row) {
    const std::string verb = row.text(3);
    const auto known = decision_verb_from(verb);
    if (!known)
        return fail(Failure::journal, fmt::format("journal {}: there is no decision \"{}\"", db.path(), printable(verb)));
    return Decision{row.integer(0), row.text(1),    row.text(2), *known,     row.text(4),
                    row.text(5),    row.integer(6), row.text(7), row.text(8)};
}

}  // namespace lockstep
