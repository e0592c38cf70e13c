#pragma once
// What this run's own supervisor will do when it stops it: asked at the start, beside the work.

#include <optional>

#include "supervise/run_by.hpp"
#include "supervise/supervision.hpp"

namespace lockstep {

struct OwnSupervision {
    std::string who;              ///< "supervisord", "systemd", "whoever stops it"
    std::optional<Millis> given;  ///< nullopt: for ever, or not known (`known`)
    bool known = true;
    bool too_short = false;
    std::string text;                   ///< too short: what is wrong and the exact line to write
    std::vector<std::string> warnings;  ///< what else was found, each with the line to write
    bool gives_more = false;            ///< it is asked for more time as long as a stop takes: `given` does not bind
    bool signals_commands = false;      ///< a stop sends SIGTERM to the commands in hand, too
};

/// Asks it, which may take until the deadline. nullopt: there is nobody to ask, or no answer.
///
/// @param front     the process that the supervisor started
/// @param told      the front tells the service manager what it needs (NOTIFY_SOCKET)
/// @param declared  how long it waits, as the command line says (--stop-timeout): nobody is asked then
std::optional<OwnSupervision> ask_own_supervisor(const JobSpec& job, const RunBy& by, pid_t front, pid_t parent_of_front,
                                                 bool told, std::optional<Millis> declared, Millis limit);

}  // namespace lockstep
