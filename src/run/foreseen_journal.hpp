#pragma once
// The journal as the next pass will have it once it has applied the decisions that wait: for a dry run, which only reads.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/apply_decisions.hpp"
#include "journal/journal_reader.hpp"

namespace lockstep {

/// All errors: Failure::journal.
class ForeseenJournal {
  public:
    /// Empty where the job never ran. Error, too: it is the journal of another job.
    static Result<ForeseenJournal> open(const SqliteJournalOptions& options);

    /// In the order in which they will be applied.
    const std::vector<AppliedDecision>& decisions() const { return decisions_; }
    /// As Journal::unfinished(), but those that are decided come last.
    Result<std::vector<UnfinishedPair>> unfinished();
    /// As Journal::pairs_of().
    Result<std::vector<Pair>> pairs_of(const std::string& item_key);

  private:
    ForeseenJournal() = default;
    Result<void> apply_decisions();

    std::optional<JournalReader> reader_;
    std::vector<AppliedDecision> decisions_;
    std::map<std::pair<std::string, std::string>, Pair> decided_;  ///< by item and step
};

}  // namespace lockstep
