#pragma once
// How long a job can take to stop, and of what that is made up: the figure that every supervisor has to be told.

#include <string>
#include <vector>

#include "job/job_spec.hpp"

namespace lockstep {

struct StopBudget {
    struct Part {
        std::string what;  ///< "reserve second"
        std::string why;   ///< "deadline 20s, and 5s to end a command that overruns it"
        Millis time{0};
    };
    std::vector<Part> parts;  ///< the phases of the longest pair, or, where a stop divides no item, of all steps
    Millis longest_pair{0};
    Millis margin{0};       ///< to write the journal, give the lock back and end
    long long seconds = 0;  ///< both together, in whole seconds: what the supervisor must wait at least
};

/// All that can still be done after a stop request: what has begun is finished, nothing is begun.
StopBudget stop_budget(const JobSpec& job);

/// The sum as lines of a comment, each begun with `mark` ("; ", "# ").
std::string budget_lines(const StopBudget& budget, const std::string& mark);

/// The comment above the setting that tells a supervisor how long to wait: what it is for, and the sum.
/// @param supervisor    who sends SIGTERM, and later SIGKILL: "systemd"
/// @param its_default   what it waits where nobody says so: "90s"
std::string patience_comment(const StopBudget& budget, const std::string& mark, const std::string& supervisor,
                             const std::string& its_default);

}  // namespace lockstep
