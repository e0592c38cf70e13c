#pragma once
// What systemd will do when it stops a service: as its manager has it where one runs, else as the unit's files say.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"
#include "supervise/exec_line.hpp"
#include "supervise/unit_file.hpp"

namespace lockstep {

struct SystemdUnit {
    std::string name;
    ConfigPlace place;                               ///< of its [Service]
    std::vector<std::vector<std::string>> commands;  ///< ExecStart=, as words
    std::vector<UnitAssignment> command_lines;       ///< each as it is written
    std::string directory;                           ///< WorkingDirectory=, "/" by default; "" unknown

    std::optional<Millis> stop_timeout;  ///< nullopt: for ever
    UnitAssignment stop_setting;         ///< what decided it; an empty place: systemd's default
    UnitAssignment kill_mode;            ///< with systemd's default where nothing is stated, and then an empty place
    UnitAssignment kill_signal;
    UnitAssignment private_tmp;  ///< "yes" or "no"; of DynamicUser=yes, which implies it, that one's place and key
    /// What the run tells the manager is heard: lockstep is the main process, and NotifyAccess= lets it speak.
    bool hears_the_run = false;
    std::string success_exit_status;  ///< all of SuccessExitStatus=, blanks between
    bool needs_reload = false;        ///< the files have changed since the manager read them
};

/// `name_or_path` as find_unit() takes it. Asks systemctl(1) for a name where systemd runs this machine and `root` is "".
Result<SystemdUnit> read_systemd_unit(const std::string& name_or_path, const std::string& root = "");

struct ManagedUnit {
    SystemdUnit unit;
    pid_t main_pid = 0;
};

/// A unit as the manager has it; `user`: that of `systemctl --user`. Error: Failure::os, there is no such unit or no answer.
Result<ManagedUnit> ask_systemd(const std::string& name, bool user, Millis limit);

/// What the files say.
SystemdUnit systemd_unit_of(const UnitFiles& files, const UnitAssignment& default_timeout);

}  // namespace lockstep
