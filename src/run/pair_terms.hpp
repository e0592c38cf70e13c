#pragma once
// What a pair is carried out under: the job file's of now for a new pair, the journalled ones for an open pair.

#include "base/duration.hpp"
#include "base/json.hpp"
#include "journal/journal.hpp"
#include "step/secret_store.hpp"

namespace lockstep {

struct PairTerms {
    const Json& params;
    const SecretStore& secrets;  ///< resolved anew, whoever began the pair
    int max_pair_attempts;
    Millis park_after;
    bool last_step;  ///< no further step of the item follows this one
    bool in_midst;   ///< the item is the unit ("section"), and earlier steps of it have taken effect: no stop ends it here

    /// The undoing has as many again: it may begin in the pass that used up those of the second.
    int passes_for(PhaseName name) const { return name == PhaseName::compensate ? 2 * max_pair_attempts : max_pair_attempts; }
};

/// A pair, and all that it is carried out with.
struct PairTask {
    Pair& pair;
    const StepSpec& step;
    const Json& inputs;
    const PairTerms& terms;
    StepOutputs& outputs;  ///< of the item's earlier steps, and of this pair's phases that are done
};

}  // namespace lockstep
