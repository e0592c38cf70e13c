#pragma once
// One phase of one pair, from its first attempt, or from where a dead run left it, to a verdict: attempts, pauses, and what to
// do in doubt, all within the phase's deadline, each effect journalled before it may happen.

#include "base/error.hpp"
#include "job/job_spec.hpp"
#include "journal/journal.hpp"
#include "run/pair_terms.hpp"
#include "run/pass_context.hpp"
#include "step/attempt.hpp"
#include "step/request.hpp"
#include "step/workbench.hpp"
#include "sys/log.hpp"

namespace lockstep {

enum class PhaseEnd {
    done,         ///< it took effect; its outputs are in PhaseResult
    not_applied,  ///< attempts or time are used up, and it certainly has not taken effect
    refused,      ///< it never will
    in_doubt,     ///< time is used up and nobody knows; the pair stays open, a later pass asks again
    parked,       ///< no rule can finish it
    stopped,      ///< a stop request came while nothing had happened
    cut,          ///< the grace was used up before its end was known
};

struct PhaseResult {
    PhaseEnd end = PhaseEnd::in_doubt;
    std::string reason;
    Json outputs = Json::object();
    bool not_connected = false;           ///< no attempt of this pass, or where it made none no probe, found anybody to talk to
    std::optional<Millis> retry_after{};  ///< what the last answer asked for, where it brought no end
    bool may_be_made_later = false;       ///< no request could be made, and the item is not to blame
};

/// Of an error for which no request could be made: a secret, or a descriptor to read it with, may be there again at the next
/// pass. What the item itself lacks it will always lack.
inline bool may_be_made_later(const Error& error) { return error.failure == Failure::secret || error.failure == Failure::os; }

class PhaseCourse {
  public:
    /// @param scope  inputs, outputs of earlier phases and the idempotency key; resolves secrets
    PhaseCourse(PassContext& pass, Workbench& bench, const PairTask& task, PhaseName name, const Scope& scope);

    /// Carries the phase out, writing the pair's states up to, but not including, the one in which the phase ends. A pair
    /// that is on record as having begun this phase is in doubt: that is settled first, with the journalled request.
    /// Error: Failure::journal or Failure::lock, after which nothing more may be begun.
    Result<PhaseResult> run();

  private:
    enum class Next { attempt, end };
    enum class Probed { applied, absent, unclear, out_of_time, cut };

    Result<RenderedRequest> request();
    Result<Next> take_up();

    Result<Attempt> attempt(RenderedRequest& request);
    Result<Next> judge(const Attempt& attempt);
    Result<Next> settle(const Attempt& attempt);
    Probed probe_until_settled();
    Result<Next> certainly_not_applied(const Attempt& attempt);
    Next pause_and_retry(const Attempt& attempt);
    Next in_doubt_or_parked(const std::string& reason);
    /// "": it may be sent again.
    std::string why_no_resend() const;
    bool began_within(Millis time) const;
    Next finish(PhaseEnd end, std::string reason);
    Result<void> write(PairState state, Durability durability);
    void say(log::Level level, const std::string& what, std::string_view outcome, MonotonicTime since) const;

    PassContext& pass_;
    Workbench& bench_;
    Pair& pair_;
    const StepSpec& step_;
    PhaseName name_;
    const PhaseSpec& phase_;
    const PairTerms& terms_;
    const Scope& scope_;

    MonotonicTime deadline_{};
    MonotonicTime attempt_started_{};
    int attempts_ = 0;
    bool doubtful_ = false;   ///< an earlier attempt may have taken effect: nothing that a later one says undoes that
    std::string unclear_;     ///< why the probe told nothing; a later pass may find out more than this one did
    std::string not_resent_;  ///< why_no_resend(), where `resend` was a policy
    std::size_t policy_ = 0;  ///< which of phase_.in_doubt is tried now
    PhaseResult result_;
};

}  // namespace lockstep
