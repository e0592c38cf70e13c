#include "supervise/run_by.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "supervise/systemctl.hpp"
#include "sys/whole_file.hpp"

namespace lockstep {

namespace {

std::string variable(const char* name) {
    const char* value = ::getenv(name);
    return value != nullptr ? value : "";
}

/// Services whose processes are other people's: that they stop says nothing about a run that they started.
bool starts_for_others(std::string_view unit) {
    constexpr std::string_view kNames[] = {"cron.service", "crond.service",      "atd.service",        "ssh.service",
                                           "sshd.service", "supervisor.service", "supervisord.service"};
    return std::ranges::find(kNames, unit) != std::end(kNames) || unit.starts_with("user@") || unit.starts_with("getty@");
}

}  // namespace

RunBy run_by_cgroup(const std::string& cgroup_text) {
    std::istringstream lines(cgroup_text);
    std::string line;
    while (std::getline(lines, line)) {
        // "0::/system.slice/a.service" or "1:name=systemd:/system.slice/a.service"
        if (!line.starts_with("0::") && line.find(":name=systemd:") == std::string::npos) continue;
        const std::string path = line.substr(line.find(":/") + 1);
        const std::string unit = path.substr(path.rfind('/') + 1);
        if (!unit.ends_with(".service") || starts_for_others(unit)) continue;
        RunBy by;
        by.kind = RunBy::Kind::systemd;
        by.unit = unit;
        by.user_manager = path.find("/user@") != std::string::npos;
        return by;
    }
    return {};
}

RunBy find_who_runs_us() {
    // A command of another run: that one is stopped, and has asked already.
    if (!variable("LOCKSTEP_RUN_ID").empty()) return {};
    RunBy by;
    by.server_url = variable("SUPERVISOR_SERVER_URL");
    by.process = variable("SUPERVISOR_PROCESS_NAME");
    by.group = variable("SUPERVISOR_GROUP_NAME");
    if (!by.server_url.empty() && !by.process.empty()) {
        by.kind = RunBy::Kind::supervisord;
        return by;
    }
    if (::getpid() == 1) {
        by.kind = RunBy::Kind::container;
        return by;
    }
    if (!systemd_runs_this_machine()) return {};
    return run_by_cgroup(read_whole_file("/proc/self/cgroup", Failure::os, "reading /proc/self/cgroup").value_or(""));
}

}  // namespace lockstep
