#include "journal/prune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/clock.hpp"
#include "journal/write_ahead_log.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kDoing = "forgetting what is old";

/// Rows that a transaction deletes: small enough for readers and the write-ahead log not to notice.
constexpr std::int64_t kBatch = 1000;
constexpr int kBatchesToCheckpoint = 20;

/// Beyond kMostPasses, before they are cut down to it: not at every pass.
constexpr std::int64_t kPassesTooMany = kMostPasses / 10;

class Pruning {
  public:
    Pruning(SqliteDb& db, const PruneRules& rules) : db_(db), rules_(rules), now_(wall_now_ms()) {}

    Result<void> run() {
        const auto last = db_.number("SELECT at_ms FROM pruned", kDoing);
        if (!last) return std::unexpected(last.error());
        const auto passes =
            db_.number("SELECT (SELECT max(id) FROM passes) - (SELECT min(id) FROM passes)", kDoing);  // two looks, no scan
        if (!passes) return std::unexpected(passes.error());
        const bool new_day = day(*last) != day(now_);
        if (rules_.forget_items && (new_day || *rules_.forget_items < kDay)) {
            if (auto gone = forget_items(); !gone) return gone;
        }
        if (new_day || rules_.keep_history < kDay || *passes > kMostPasses + kPassesTooMany) {
            if (auto gone = forget_history(); !gone) return gone;
        }
        if (!new_day || batches_ == rules_.batches_a_pass) return {};
        return db_.run(fmt::format("UPDATE pruned SET at_ms = {}", now_).c_str(), kDoing);
    }

  private:
    static constexpr Millis kDay = std::chrono::hours{24};

    static std::int64_t day(std::int64_t wall_ms) { return wall_ms / kDay.count(); }

    /// One that is done in some steps and not in others has not ended: it is tried again whenever it is listed.
    Result<void> forget_items() {
        return remove_items(now_ - rules_.forget_items->count(),
                            "NOT EXISTS (SELECT 1 FROM pairs AS other WHERE other.item_key = pairs.item_key AND "
                            "(other.state = 'done') <> (pairs.state = 'done'))");
    }

    Result<void> forget_history() {
        const auto oldest = oldest_to_keep();
        if (!oldest) return std::unexpected(oldest.error());
        const std::string before = std::to_string(*oldest);
        if (rules_.items_come_once) {
            // Their keys are a run's id and a number; the id begins with its time, so that the index finds the old ones.
            auto gone = remove_items(*oldest, fmt::format("item_key < strftime('%Y%m%dT%H%M%SZ', {} / 1000, 'unixepoch') AND "
                                                          "item_key GLOB '[0-9]*T[0-9]*Z-*/[0-9]*'",
                                                          before));
            if (!gone) return gone;
        }
        if (auto gone = remove_all("passes", "ended_ms < " + before); !gone) return gone;
        if (auto gone = remove_all("decisions", "applied_ms < " + before); !gone) return gone;
        return remove_all("runs", "started_ms < " + before + " AND run_id NOT IN (SELECT run_id FROM passes)");
    }

    Result<std::int64_t> oldest_to_keep() {
        const auto crowded = db_.number(
            fmt::format("SELECT ended_ms FROM passes ORDER BY id DESC LIMIT 1 OFFSET {}", kMostPasses).c_str(), kDoing);
        if (!crowded) return crowded;
        return std::max(now_ - rules_.keep_history.count(), *crowded);
    }

    /// All pairs of an item at once, or none: what was left of it would be gone on with, and a step that is done be carried out
    /// again. Only of items that have ended before that time in all their steps, and that nobody has just decided about.
    Result<void> remove_items(std::int64_t ended_before, const std::string& condition) {
        const auto before = ::sqlite3_total_changes64(db_.handle());
        auto gone = in_batches(fmt::format(
            "DELETE FROM pairs WHERE item_key IN (SELECT item_key FROM pairs WHERE changed_ms < {0} AND {1} AND NOT "
            "EXISTS (SELECT 1 FROM pairs AS step WHERE step.item_key = pairs.item_key AND (step.unfinished = 1 OR "
            "step.changed_ms >= {0} OR step.not_before_ms > {2})) AND NOT EXISTS (SELECT 1 FROM decisions WHERE "
            "applied_ms IS NULL AND decisions.item_key = pairs.item_key) LIMIT {3})",
            ended_before, condition, now_, kBatch));
        if (!gone || ::sqlite3_total_changes64(db_.handle()) == before) return gone;
        return remove_all("definitions", "id NOT IN (SELECT definition_id FROM pairs)");
    }

    Result<void> remove_all(const char* table, const std::string& condition) {
        return in_batches(fmt::format("DELETE FROM {0} WHERE rowid IN (SELECT rowid FROM {0} WHERE {1} LIMIT {2})", table,
                                      condition, kBatch));
    }

    /// @param sql  deletes kBatch rows, or more, as long as there are so many
    Result<void> in_batches(const std::string& sql) {
        for (; batches_ < rules_.batches_a_pass; ++batches_) {
            if (auto deleted = db_.run(sql.c_str(), kDoing); !deleted) return deleted;
            if (::sqlite3_changes64(db_.handle()) < kBatch) return {};
            if (batches_ % kBatchesToCheckpoint != 0) continue;
            if (auto copied = copy_write_ahead_log(db_); !copied) return copied;
        }
        return {};
    }

    SqliteDb& db_;
    const PruneRules& rules_;
    const std::int64_t now_;
    int batches_ = 0;
};

}  // namespace

Result<void> prune_if_due(SqliteDb& db, const PruneRules& rules) { return Pruning(db, rules).run(); }

}  // namespace lockstep
