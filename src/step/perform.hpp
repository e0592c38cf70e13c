#pragma once
// Carrying out a rendered request once, and what became of it: an attempt, a probe, a listing of items.

#include <expected>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "step/attempt.hpp"
#include "step/request.hpp"
#include "step/workbench.hpp"

namespace lockstep {

struct AttemptOptions {
    Millis timeout{10'000};
    bool resend = false;  ///< the same request was sent before: 409 and 422 have their key meaning
};

/// Performs a phase's request once and classes the outcome: the tables are in classify.cpp. `notApplied` and `refused` are
/// asked first, for their author names a certain answer; then `success`; then the tables. The verdict speaks of this attempt:
/// on a resend, "not applied" says nothing about the request that went before. A secret that cannot be had is "not applied",
/// for nobody has refused anything. `scope` must resolve secrets; its `answer` is ignored. Never throws, never retries.
Attempt perform(const PhaseSpec& phase, const RenderedRequest& request, const Scope& scope, const AttemptOptions& options,
                Workbench& bench);

/// The outcome of a probe: applied (with outputs), absent, or unclear.
struct ProbeOutcome {
    enum class Answer { applied, absent, unclear } answer = Answer::unclear;
    Json outputs = Json::object();
    std::string reason;
    bool not_connected = false;  ///< there was no connection at all
};
/// @param left  what is left of the phase's deadline: the probe gets no more than that, or its own timeout
ProbeOutcome probe(const ProbeSpec& probe, const Scope& scope, Millis left, Workbench& bench);

struct NoListing {
    Error error;            ///< Failure::items saying what came instead; Failure::stopped
    bool may_pass = false;  ///< nobody answered, or with 408, 429 or 5xx
    std::optional<Millis> retry_after{};
};
/// A GET or a command that lists items, once: the raw answer of a 2xx, or of exit status 0. A stop (`stop`) ends it at once.
std::expected<Answer, NoListing> fetch_listing(const ActionSpec& action, const Scope& scope, Millis timeout,
                                               const Interrupt& stop, Workbench& bench);

}  // namespace lockstep
