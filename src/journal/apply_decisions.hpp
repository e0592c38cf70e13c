#pragma once
// The decisions that wait in a journal, applied to it: by a pass before anything else, or by `resolve` if the lock is free.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/journal.hpp"

namespace lockstep {

struct AppliedDecision {
    Decision decision;
    std::string outcome;  ///< "now first-done", or why it came too late
    bool applied = false;
    PairState state = PairState::pending;  ///< if applied
    bool asked_for = false;                ///< the next pass goes through it, whether its source lists the item or not
};

/// What applying a decision comes to, and the pair as it is then; nullopt: it came too late.
/// @param found  the pair that it is about, if there is one
std::pair<AppliedDecision, std::optional<Pair>> foresee(const std::optional<Pair>& found, const Decision& decision);

/// Applies every decision that waits, in order; what came too late is marked, too. All of it is on the disk when this returns.
/// Errors are the journal's.
Result<std::vector<AppliedDecision>> apply_decisions(Journal& journal);

}  // namespace lockstep
