#pragma once
// The programs of a supervisord, read from its configuration with all that supervisord itself does to it: [include], %(…)s,
// groups, numprocs. Source: supervisor/options.py of supervisord 4.2.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "supervise/config_place.hpp"

namespace lockstep {

/// A setting in force: of the file, or supervisord's default.
struct SupervisordSetting {
    std::string value;     ///< expanded; as it is written where it cannot be
    ConfigPlace place;     ///< empty: it is the default
    bool unknown = false;  ///< it holds a %(…)s that cannot be expanded here, such as a variable of supervisord's environment
};

struct SupervisordProgram {
    std::string name;                ///< as supervisorctl shows it: "group:process", or one word where the two are the same
    std::string section;             ///< "program:ship-orders"
    ConfigPlace place;               ///< of that section
    std::vector<std::string> words;  ///< of its command; empty if that is no list of words
    std::string command;             ///< as it is written
    ConfigPlace command_place;
    std::string directory;        ///< that it is run in; "" unknown
    int processes = 1;            ///< numprocs
    ConfigPlace processes_place;  ///< where that is said; empty: nowhere
    SupervisordSetting stopwaitsecs, stopsignal, stopasgroup, killasgroup, autorestart, exitcodes;
};

/// Whose value %(ENV_X)s takes; nullopt: not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Every process of every program, in the order of the files. `environment` stands for supervisord's own.
/// Error: Failure::no_job_file, or Failure::job_file for what supervisord would refuse to start with.
Result<std::vector<SupervisordProgram>> read_supervisord_config(const std::string& path, const EnvironmentLookup& environment);

/// Its yes, true, on, 1 in any case.
bool is_true(const std::string& value);

}  // namespace lockstep
