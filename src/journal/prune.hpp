#pragma once
// What a journal forgets, so that it does not grow for ever: old passes and, where nobody can miss them, pairs that have ended.

#include <optional>

#include "base/duration.hpp"
#include "journal/sqlite_db.hpp"

namespace lockstep {

struct PruneRules {
    /// Passes, runs and applied decisions that are older go, and all passes but about the newest kMostPasses.
    Millis keep_history{};
    /// Every pass is a new item, so that the pairs of a pass can be asked for never again: they go with it.
    bool items_come_once = false;
    /// Items that ended longer ago in all their steps go, but none of which some steps are done and others not; one that comes
    /// again afterwards is carried out again. Unset: they stay for ever.
    std::optional<Millis> forget_items;
    /// Of a thousand rows each. More than this waits for the next pass, for nobody is to wait long for one.
    int batches_a_pass = 300;
};

inline constexpr std::int64_t kMostPasses = 100'000;

/// Due once a day (UTC), in the first pass of it, and in every pass where a period is shorter than a day: deletes what the
/// rules say, a thousand rows a transaction, and what is too much for one pass in the passes that follow. Nothing that is open,
/// parked, owes steps, or is decided and not applied yet is touched. The file does not shrink: its room is used again.
Result<void> prune_if_due(SqliteDb& db, const PruneRules& rules);

}  // namespace lockstep
