#pragma once
// What a person's decision about a pair makes of it: `resolve`.
//
//   in doubt, or
//   parked from     --applied          --not-applied           --compensate            --again
//   first           first-done, done   first-not-applied       -                       pending
//   second          done               second-not-applied      compensate-not-applied  second-not-applied
//   compensate      compensated        compensate-not-applied  -                       compensate-not-applied
//   compensated     -                  -                       -                       pending
//   (ended)         -                  -                       -                       pending
//   (owed)          -                  as it is                -                       as it is
//
// --again raises the generation, and so the idempotency key: for an API that replays a stored answer under the old one.
// What is in doubt need not be parked: whoever knows better than its rules need not wait for their end. Not parked, but ended
// are done, first-refused and compensated; a phase that certainly has had no effect is owed in
// first-done, second-not-applied and compensate-not-applied: it is then tried in the next pass, whatever its back-off and its
// attempts say. A decision that brings a definition puts it in the place of the pair's own before anything else.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/journal.hpp"

namespace lockstep {

/// What a decision notes of the pair that it is about, so that it is applied to nothing else: every attempt, every end and
/// every decision changes it.
std::string stand_of(const Pair& pair);

/// The pair as it is to be written once the decision is applied. What it needs to know of the step it takes from the
/// definition. Error: Failure::usage, why the decision makes no sense and what would, or that the pair has gone on since it was
/// decided; Failure::journal, the definition cannot be read.
Result<Pair> decide(const Pair& pair, const Decision& decision);

/// The phase that the pair was parked in, and that `applied` and `not-applied` are about: "first", "second", "compensate"; ""
/// where no phase is in question.
std::string parked_phase(const Pair& pair);

/// The decisions that decide() accepts of this pair, in the order of the table.
std::vector<DecisionVerb> possible_decisions(const Pair& pair);

/// What `applied` must say of the phase that the pair is parked, or in doubt, in. Empty if the definition cannot be read.
std::vector<std::string> outputs_to_state(const Pair& pair);

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
