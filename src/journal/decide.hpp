#pragma once
// What a person's decision about a pair makes of it: `resolve`.
//
//   parked from     --applied          --not-applied           --compensate            --again
//   first           first-done, done   first-not-applied       -                       pending
//   second          done               second-not-applied      compensate-not-applied  second-not-applied
//   compensate      compensated        compensate-not-applied  -                       compensate-not-applied
//   compensated     -                  -                       -                       pending
//   not parked:
//   ended           -                  -                       -                       pending
//   owed            -                  as it is                -                       as it is
//   in doubt        as if parked       -                       -                       -                       --park: parked
//
// --again raises the generation, and so the idempotency key: for an API that replays a stored answer under the old one.
// Ended are done, first-refused and compensated; a phase that certainly has had no effect is owed in first-done,
// second-not-applied and compensate-not-applied: it is then tried in the next pass, whatever its back-off and its attempts say.
// What took effect stays so; that something in doubt did not may be true no longer when it is said, for its rules may have sent
// it again meanwhile, or it is only on its way: that can be said of a parked pair alone, which nobody touches.
// A decision that brings a definition puts it in the place of the pair's own before anything else.

#include <string>
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
bool is_possible(const Pair& pair, DecisionVerb verb);

/// What `applied` must say of the phase that the pair is parked, or in doubt, in. Empty if the definition cannot be read.
std::vector<std::string> outputs_to_state(const Pair& pair);

}  // namespace lockstep
