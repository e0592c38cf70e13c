#pragma once
// The rows of the journal: pairs, runs and passes, read and written through prepared statements.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "journal/journal.hpp"
#include "journal/sqlite_db.hpp"

namespace lockstep {

/// The end of a pass, as it is kept.
struct PassRow {
    std::string run_id;
    std::int64_t pass = 0;
    std::int64_t ended_ms = 0;
    PassTotals totals;
    std::string ended_because;
};

/// A decision that was applied, with what became of the pair, or that came too late.
struct DecisionMark {
    std::int64_t id = 0;
    std::int64_t applied_ms = 0;
    std::string outcome;
    std::shared_ptr<const Pair> pair;
};

/// Writes rows, in transactions, through the writer's connection.
class PairWriter {
  public:
    static Result<PairWriter> create(SqliteDb& db);

    Result<void> begin();
    /// `doing` names the operation in the error.
    Result<void> commit(std::string_view doing);

    Result<void> put(const Pair& pair);
    Result<void> put(const RunStart& run);
    Result<void> put(const PassRow& pass);
    Result<void> put(const DecisionMark& mark);

  private:
    PairWriter() = default;
    Result<std::int64_t> definition_id(const std::string& text);

    SqliteDb* db_ = nullptr;
    Statement begin_;
    Statement commit_;
    Statement put_pair_;
    Statement put_run_;
    Statement put_pass_;
    Statement mark_decision_;
    Statement add_definition_;
    Statement find_definition_;
    std::unordered_map<std::string, std::int64_t> definitions_;  // one a step of the job, so a handful
};

/// Reads pairs through a connection of its own, which never waits for the writer (WAL).
class PairReader {
  public:
    static Result<PairReader> create(SqliteDb& db);

    Result<std::optional<Pair>> find(const std::string& item_key, const std::string& step);
    Result<std::vector<Pair>> of_item(const std::string& item_key);
    Result<std::vector<Pair>> unfinished();
    Result<std::vector<UnfinishedPair>> unfinished_in_brief();
    Result<std::vector<Pair>> failed(std::int64_t limit);
    Result<std::int64_t> failed_count();
    Result<std::vector<Decision>> pending_decisions();

  private:
    PairReader() = default;
    Result<std::vector<Pair>> all(Statement& statement, std::string_view doing);
    Result<Pair> row(const Statement& statement) const;
    Result<PairState> state_in(const Statement& statement, int column) const;

    SqliteDb* db_ = nullptr;
    Statement find_;
    Statement of_item_;
    Statement unfinished_;
    Statement unfinished_in_brief_;
    Statement failed_;
    Statement decisions_;
};

/// The version from which on a decision has a definition.
inline constexpr std::int64_t kDecisionsRedefine = 7;
/// The version from which on a decision says where the pair stood, and may be to park it, which an older program cannot read.
inline constexpr std::int64_t kDecisionsSaw = 8;
inline constexpr std::int64_t kDecisionsPark = 8;
/// The version from which on a pair says on which date it was begun.
inline constexpr std::int64_t kPairsKeepTheirDate = 8;
/// What decision_row() reads, kDecisionColumnCount of them from the first column on, in a journal of any readable version.
Result<std::string> decision_columns(SqliteDb& db);
inline constexpr int kDecisionColumnCount = 9;
Result<Decision> decision_row(const SqliteDb& db, const Statement& row);

/// The key of a pair in memory: item key and step, which cannot run together, for a step's name holds no NUL.
std::string pair_key(const std::string& item_key, const std::string& step);

}  // namespace lockstep
