#pragma once
// Telling others what became of a pass, once its lock has been given back: the job's onFailure, onParked, onRecovered and
// heartbeat. Nothing that happens here changes the run's result.

#include <string>

#include "job/job_spec.hpp"
#include "run/pass_tally.hpp"
#include "run/stop_state.hpp"
#include "step/secret_store.hpp"
#include "step/workbench.hpp"

namespace lockstep {

/// What a notice is about.
struct PassStory {
    const JobSpec& job;
    const std::string& run_id;
    const std::string& run_date;
    std::int64_t number;  ///< of the pass, from 1; of none that was begun: 0
    const PassResult& result;
    Millis elapsed;
};

/// The summary: an object with the members of kSummaryNames. "result" is the exit status that a run of this one pass has.
Json summary_of(const PassStory& story);

/// Did this pass find anything wrong that an earlier one has not told of?
bool has_new_trouble(const PassResult& result);

/// Sends what the job wants sent, each at most three times and within its timeout; within two seconds where a stop was
/// requested, and ended by a cut.
void send_notices(const PassStory& story, const SecretStore& secrets, const StopState& stop, CommandHost& commands);

}  // namespace lockstep
