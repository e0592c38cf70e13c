#pragma once
// What this run's own supervisor will do when it stops it, held against the job.

#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"

namespace lockstep {

struct SupervisorWord {
    std::string who;                    ///< "supervisord", "systemd", "whoever stops it"
    std::optional<Millis> given;        ///< between its SIGTERM and its SIGKILL; nullopt: for ever
    bool too_short = false;             ///< less than the longest pair
    std::string text;                   ///< what is wrong with `given`, and the exact line to write; "" if nothing is
    std::vector<std::string> warnings;  ///< what else is not as it should be, each with the line to write
    bool signals_commands = false;      ///< its SIGTERM is for the commands in hand, too
    bool gives_more = false;            ///< it is told of each second that is still needed: `given` does not bind
};

}  // namespace lockstep
