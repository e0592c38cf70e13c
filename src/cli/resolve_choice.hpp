#pragma once
// Which pairs a person's decision is about, and whether it makes sense of each of them.

#include <vector>

#include "cli/arguments.hpp"
#include "journal/journal_reader.hpp"

namespace lockstep {

struct ResolveChoice {
    std::vector<Decision> decisions;  ///< not written down yet
    std::vector<Error> refused;       ///< one a pair that the decision makes no sense of, or that is decided already
    std::size_t decided_before = 0;   ///< with --all-parked: pairs whose decision waits for the next pass, passed over
    bool for_next_pass = false;       ///< written down, in a journal of an older version: a daemon of that may use it
};

/// Each decision is checked as if it were applied now. Refused are Failure::usage, and Failure::busy for a pair that is
/// decided already. Error: Failure::usage, of the command line; Failure::journal.
/// @param steps  of the job file, for who wants to redefine
Result<ResolveChoice> choose_decisions(const ResolveArguments& arguments, const std::vector<StepSpec>& steps,
                                       JournalReader& reader);

}  // namespace lockstep
