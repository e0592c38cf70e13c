#pragma once
// A job held against what its supervisor is configured to do: will a stop be waited for, and what else would go wrong.

#include <optional>
#include <string>
#include <vector>

#include "job/job_spec.hpp"
#include "supervise/job_match.hpp"
#include "supervise/stop_budget.hpp"
#include "supervise/supervisord_config.hpp"
#include "supervise/systemd_unit.hpp"

namespace lockstep {

enum class StopVerdict {
    enough,
    tight,      ///< the longest pair fits, but not the time to end after it
    too_short,  ///< SIGKILL can come before the longest pair is over
    lost,       ///< no request to stop gets to lockstep
    unknown,    ///< the configuration cannot be read to the end from here
};

/// "enough", "tight", "too short", "lost", "unknown"
std::string_view to_string(StopVerdict verdict);

/// What to change, and where.
struct Advice {
    ConfigPlace place;  ///< of the line to change; where nothing is stated, of the section that it is to be added to
    bool add = false;   ///< a line to add
    std::string why;
    std::string write;      ///< the exact line, or two with "and" between
    bool at_start = false;  ///< worth a word at each start, too
};

struct Supervision {
    std::string supervisor;  ///< "supervisord" or "systemd"
    std::string name;        ///< of the program or the unit
    ConfigPlace place;       ///< where its section begins
    StopVerdict verdict = StopVerdict::enough;
    bool extended = false;        ///< `given` alone would not be enough; the run asks for more as it goes, and is given it
    StopBudget budget;            ///< `seconds` with the delay
    Millis delay{0};              ///< what stands in front of lockstep defers the request so long
    std::optional<Millis> given;  ///< nullopt: for ever; or unknown
    bool given_known = true;
    std::string setting;           ///< "stopwaitsecs=10"
    ConfigPlace setting_place;     ///< empty: the supervisor's default
    std::optional<Advice> change;  ///< of the stop timeout, unless it is enough
    std::vector<Advice> warnings;  ///< what cuts no stop, but is not as it should be
};

Supervision supervision_of(const JobSpec& job, const SupervisordProgram& program);
Supervision supervision_of(const JobSpec& job, const SystemdUnit& unit);

/// A block of lines, as `lockstep check` prints it.
std::string supervision_text(const Supervision& supervision);
Json supervision_json(const Supervision& supervision);

}  // namespace lockstep
