#pragma once
// `lockstep history`: the passes of a job and the decisions of people, newest first.

#include <string>
#include <vector>

#include "base/json.hpp"
#include "journal/journal_reader.hpp"

namespace lockstep {

struct History {
    std::string job;
    std::vector<PassLine> passes;
    std::vector<UnendedPass> unended;
    std::vector<DecisionLine> decisions;
};

/// At most `limit` of each. Errors: Failure::journal, also when the job has no journal.
Result<History> job_history(const SqliteJournalOptions& options, std::int64_t limit);

std::string history_text(const History& history);
/// The keys are those of the manual; they stay.
Json history_json(const History& history);

/// By the wall clock, which may have been set back meanwhile; never negative.
std::int64_t duration_ms(const PassLine& line);

/// "03:00:01, run 20261123T030001Z-7f3a9c21 pass 1: done 40, failed 1, parked 0, left 0 in 12s: gone through all items"
std::string pass_text(const PassLine& line);
Json pass_json(const PassLine& line);

/// "03:12:00, alice: north/o17, reserve: not-applied: now second-not-applied"
std::string decision_text(const DecisionLine& line);
Json decision_json(const DecisionLine& line);

}  // namespace lockstep
