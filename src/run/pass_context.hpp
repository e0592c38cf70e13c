#pragma once
// What everything that works in one pass shares.

#include <atomic>
#include <optional>
#include <string>

#include "job/job_spec.hpp"
#include "journal/journal.hpp"
#include "lock/directory_lock.hpp"
#include "run/activity.hpp"
#include "run/back_off.hpp"
#include "run/pair_terms.hpp"
#include "run/stop_state.hpp"
#include "step/secret_store.hpp"
#include "sys/interrupt.hpp"

namespace lockstep {

struct PassContext {
    const JobSpec& job;
    const std::string& run_id;
    const std::string& run_date;
    Journal& journal;
    DirectoryLock& lock;
    const StopState& stop;
    const SecretStore& secrets;
    ActivityBoard& activity;
    const std::optional<std::string>& only;      ///< the one item that is wanted
    const std::atomic<bool>& shield_by_default;  ///< where the job file does not say it: a stop is signalled to commands, too
    Interrupt ended;                             ///< nothing more is to be begun in this pass

    bool may_begin() const { return !ended.fired() && !stop.requested.fired(); }
    /// It backs off. Whoever names it with --only wants it now.
    bool waits(const auto& pair) const { return only != pair.item_key && is_backing_off(pair.not_before_ms); }
    /// PairTerms::in_midst of this step, or of one that the job has no longer (nullptr).
    bool is_in_midst(const StepSpec* step) const { return job.section == Section::item && step != &job.steps.front(); }
    /// The scope that every expression of this run starts from: the job's own, or that of a pair's terms.
    Scope base_scope() const { return base_scope(job.params, secrets); }
    Scope base_scope(const PairTerms& terms) const { return base_scope(terms.params, terms.secrets); }
    Scope base_scope(const Json& params, const SecretStore& store) const;
};

/// Somebody removed or replaced our lock directory: nothing more may be begun.
inline Error lock_lost(const DirectoryLock& lock) {
    return {Failure::lock, "lock lost: " + lock.path() + " was removed or replaced while we held it; nothing more is begun"};
}

}  // namespace lockstep
