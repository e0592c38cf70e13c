#pragma once
// A pair as people see it: what it waits for, what was sent, what came back, and what can be decided about it.

#include <span>
#include <string>

#include "base/json.hpp"
#include "job/job_spec.hpp"
#include "journal/journal.hpp"

namespace lockstep {

/// "first", "second" or "compensate": the phase that the pair is in, or was parked in; "" between phases.
std::string phase_in_hand(const Pair& pair);

/// The journalled request as a curl or shell line, secrets as "***"; "" if there is none.
std::string redacted_request(const Pair& pair);

/// Whose pair it is, as resolve is told it.
struct PairOwner {
    std::string job;
    std::string state_directory;           ///< empty: the default one
    std::span<const StepSpec> steps = {};  ///< of the job file, if it is at hand
};

/// "north/o17, reserve: parked in its second phase for 3h 10m, 4 attempts in 2 passes", its request and its last answer in
/// lines below it; of a parked pair also the commands that settle it.
/// @param decided  a decision about it that waits for the next pass: then nobody is asked for another
std::string pair_text(const Pair& pair, const PairOwner& owner, std::int64_t now_ms, const Decision* decided = nullptr);

/// The command that settles all that is parked in one go.
std::string settle_all_alike(const PairOwner& owner);

/// The keys are those of the manual; they stay.
Json pair_json(const Pair& pair, std::int64_t now_ms);

}  // namespace lockstep
