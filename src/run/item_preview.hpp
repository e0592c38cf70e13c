#pragma once
// What a run would do with an item now, as lines that could be pasted into a shell but for the secrets: for a dry run.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/exit_status.hpp"
#include "job/expression.hpp"
#include "job/job_spec.hpp"
#include "run/foreseen_journal.hpp"
#include "run/unfinished_items.hpp"

namespace lockstep {

/// Errors of all functions: Failure::journal.
class ItemPreview {
  public:
    /// @param only  the one item that is wanted, which does not back off
    /// @param base  what expressions mean in every item of this run; it and all others must outlive this
    ItemPreview(const JobSpec& job, const std::optional<std::string>& only, const Scope& base, ForeseenJournal& journal)
        : job_(job), only_(only), base_(base), journal_(journal) {}

    /// An item, as its source lists it or as it was journalled.
    Result<void> show(const std::string& key, const Json& inputs);
    /// One that earlier passes left unfinished, as it was journalled.
    Result<void> show(const UnfinishedItem& item);

    /// What was shown since this was last asked for.
    std::string take_text() { return std::exchange(text_, ""); }
    /// some_failed: of an item no request can be made; that was said on stderr.
    ExitStatus status() const { return status_; }
    /// Items that are done, and were not shown.
    std::int64_t done_before() const { return done_before_; }

  private:
    /// What comes after a pair that is on record.
    enum class Next : std::uint8_t { begin_it, next_step, next_item };

    void show_steps(const std::string& key, const Json& inputs, const std::vector<Pair>& pairs,
                    const std::set<std::string_view>& gone_on);
    Next go_on_with(const Pair& pair, const Json& inputs, const StepOutputs& outputs);
    Result<std::string> next_request(const Pair& pair, PhaseName name, const Json& inputs, const StepOutputs& outputs) const;
    Result<std::string> requests_of(const StepSpec& step, Scope scope, int generation) const;
    Next tell(const Pair& pair, Next next, const std::string& words);

    const JobSpec& job_;
    const std::optional<std::string>& only_;
    const Scope& base_;
    ForeseenJournal& journal_;
    std::string text_;
    ExitStatus status_ = ExitStatus::ok;
    std::int64_t done_before_ = 0;
};

}  // namespace lockstep
