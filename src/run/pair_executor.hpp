#pragma once
// One pair from the state that the journal has of it to an end, whether it is new or was left open by a run that is no more:
// the control flow of the whole product, written to be read beside the table in journal/pair_state.cpp.

#include <array>
#include <optional>

#include "base/error.hpp"
#include "journal/journal.hpp"
#include "run/pass_context.hpp"
#include "run/phase_course.hpp"
#include "step/workbench.hpp"

namespace lockstep {

enum class PairEnd {
    done,          ///< in this pass
    skipped,       ///< done by an earlier pass
    failed,        ///< refused or compensated, or never applied: nothing is open
    parked,        ///< waits for a person from now on
    still_parked,  ///< waits for a person since an earlier pass, which told of it
    open,          ///< half done or in doubt: a later pass has to settle it
    left,          ///< a stop request came before anything had happened
    cut,           ///< cut in the middle, in doubt
    waits,         ///< it failed before, and is not tried again yet
    waits_open,    ///< it is half done since an earlier pass, and is not tried again yet
    not_reached,   ///< it is half done since an earlier pass, and this one ended before its turn
};

/// Outputs that the journal has of a pair's phases.
void recall_outputs(const Pair& pair, StepOutputs& outputs);

class PairExecutor {
  public:
    PairExecutor(PassContext& pass, Workbench& bench) : pass_(pass), bench_(bench) {}

    /// Carries out `step` for one item. `outputs` has the outputs of the item's earlier steps and gets this one's. An open pair
    /// is left as it is: it is for resume(), under the definition that is journalled with it.
    /// Error: Failure::journal or Failure::lock, after which nothing more may be begun.
    Result<PairEnd> execute(const StepSpec& step, const std::string& item_key, const Json& inputs, const PairTerms& terms,
                            StepOutputs& outputs);

    /// Brings a pair that a run left open, and that does not wait, to an end. `step` and `terms` are those that it was begun
    /// with.
    Result<PairEnd> resume(Pair pair, const StepSpec& step, const Json& inputs, const PairTerms& terms, StepOutputs& outputs);

    /// The last phase ended because there was nobody to talk to.
    bool found_nobody() const { return found_nobody_; }

  private:
    /// An end for this pass, or nullopt where the pair's new state says how to go on.
    using Outcome = Result<std::optional<PairEnd>>;

    Outcome first(const PairTask& task);
    Outcome second(const PairTask& task);
    Outcome compensate(const PairTask& task);
    Outcome remain(const PairTask& task, PhaseName name, const PhaseResult& result);
    Outcome not_applied(const PairTask& task, PhaseName name, const PhaseResult& result);
    Outcome try_later(const PairTask& task, PairEnd end, std::optional<Millis> retry_after = std::nullopt);
    Outcome park(const PairTask& task, const std::string& reason);
    Outcome enter(const PairTask& task, PairState state, const std::string& reason);

    Outcome begin(const PairTask& task);
    Result<Pair> load(const StepSpec& step, const std::string& item_key) const;
    Result<PairEnd> advance(const PairTask& task);
    Scope scope_of(const PairTask& task, PhaseName name);
    const std::string& key_of(const PairTask& task, PhaseName name);
    Outcome not_begun(const PairTask& task, const std::string& reason, bool later);
    Result<PhaseResult> run_phase(const PairTask& task, PhaseName name);
    static void say_refused(const PairTask& task, PhaseName name, const std::string& reason);
    static void remember_outputs(const PairTask& task, PhaseName name, const Json& values);

    PassContext& pass_;
    Workbench& bench_;
    std::array<std::string, 3> keys_;  // idempotency keys of the pair in hand, by phase: made when they are first asked for
    bool found_nobody_ = false;
};

}  // namespace lockstep
