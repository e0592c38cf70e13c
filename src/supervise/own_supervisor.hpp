#pragma once
// What this run's own supervisor will do when it stops it: asked at the start, beside the work.

#include <optional>

#include "job/job_spec.hpp"
#include "job/supervisor_word.hpp"
#include "supervise/run_by.hpp"

namespace lockstep {

/// A run, as its supervisor sees it.
struct SupervisedRun {
    RunBy by;
    pid_t front = 0;  ///< the process that the supervisor started
    pid_t parent_of_front = 0;
    bool is_heard = false;  ///< the front tells the service manager what it needs (NOTIFY_SOCKET)
    std::optional<Millis>
        declared_wait{};  ///< how long it waits, as the command line says (--stop-timeout): nobody is asked then
};

/// Asks it, which may take until `limit` is over. nullopt: there is nobody to ask, or no answer.
std::optional<SupervisorWord> ask_own_supervisor(const JobSpec& job, const SupervisedRun& run, Millis limit);

}  // namespace lockstep
