#pragma once
// Who has started this run, as far as its environment and /proc tell: nobody is asked.

#include <sys/types.h>

#include <string>

namespace lockstep {

struct RunBy {
    enum class Kind {
        person,       ///< a terminal, a script, cron: nothing that would stop it and then lose patience
        supervisord,  ///< SUPERVISOR_SERVER_URL and SUPERVISOR_PROCESS_NAME are set
        systemd,      ///< its control group is that of a service
        container,    ///< it is the first process: whoever stops the container cannot be asked from inside
    };
    Kind kind = Kind::person;
    std::string server_url;     ///< supervisord: "unix:///run/supervisor.sock", "http://127.0.0.1:9001"
    std::string group;          ///< supervisord; "" where it does not say
    std::string process;        ///< supervisord
    std::string unit;           ///< systemd
    bool user_manager = false;  ///< systemd: the unit is one of `systemctl --user`
};

/// Reads the environment and /proc/self/cgroup. To be called in the process that the supervisor started.
RunBy find_who_runs_us();

/// The unit that a line of /proc/PID/cgroup names (systemd's own hierarchy, version 1 or 2), where it is a service other
/// than those that start programs for others (cron, sshd).
RunBy run_by_cgroup(const std::string& cgroup_text);

}  // namespace lockstep
