#include "supervise/supervision.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/exit_status.hpp"
#include "supervise/supervision_front.hpp"

namespace lockstep {

namespace {

/// Advice about one setting: to change it where it stands, or to add it to the section.
Advice advice(const ConfigPlace& stated, const ConfigPlace& section, std::string why, std::string write) {
    const bool add = stated.file.empty();
    return {add ? section : stated, add, std::move(why), std::move(write)};
}

/// @param stated  the line of the section that says how long it waits; empty: none does
void judge(Supervision& supervision, const ConfigPlace& stated, const std::string& write, const std::string& section) {
    if (supervision.given_known) {
        supervision.verdict = verdict_of(supervision.given, supervision.budget, supervision.delay);
    } else {
        supervision.verdict = StopVerdict::unknown;
    }
    if (supervision.verdict == StopVerdict::enough) return;
    supervision.change = advice(stated, supervision.place, section, write);
}

bool is_stop_request(std::string signal) {
    std::ranges::transform(signal, signal.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (signal.starts_with("SIG")) signal.erase(0, 3);
    constexpr std::string_view kRequests[] = {"TERM", "INT", "HUP", "QUIT", "15", "2", "1", "3"};
    return std::ranges::find(kRequests, signal) != std::end(kRequests);
}

/// 75 in "0,75" or "TEMPFAIL 3".
bool names_try_again(std::string list) {
    std::ranges::replace(list, ',', ' ');
    std::istringstream words(list);
    std::string word;
    while (words >> word) {
        if (word == std::to_string(to_int(ExitStatus::try_again)) || word == "TEMPFAIL") return true;
    }
    return false;
}

void warn_of_restarts(Supervision& supervision, const SupervisordProgram& program) {
    const bool only_unexpected = program.autorestart.value == "unexpected";
    const bool again_and_again = is_true(program.autorestart.value) && runs_once(program.words);
    if (again_and_again) {
        supervision.warnings.push_back(
            advice(program.autorestart.place, program.place,
                   "autorestart=" + program.autorestart.value + " starts lockstep run again at once, however it ended",
                   "autorestart=unexpected"));
    }
    if ((only_unexpected || again_and_again) && !program.exitcodes.unknown && !names_try_again(program.exitcodes.value)) {
        supervision.warnings.push_back(
            advice(program.exitcodes.place, program.place,
                   "exitcodes=" + program.exitcodes.value +
                       " lacks 75, stopped with work left or busy: it would be started again at once",
                   "exitcodes=" + program.exitcodes.value + ",75"));
    }
    if (program.processes > 1) {
        supervision.warnings.push_back(
            {program.processes_place, false,
             "numprocs=" + std::to_string(program.processes) + ": one of them works, the others wait for its lock",
             "numprocs=1"});
    }
}

}  // namespace

std::string_view to_string(StopVerdict verdict) {
    switch (verdict) {
        case StopVerdict::enough: return "enough";
        case StopVerdict::tight: return "tight";
        case StopVerdict::too_short: return "too short";
        case StopVerdict::lost: return "lost";
        case StopVerdict::unknown: return "unknown";
    }
    return "";
}

Supervision supervision_of(const JobSpec& job, const SupervisordProgram& program) {
    Supervision supervision;
    supervision.supervisor = "supervisord";
    supervision.name = program.name;
    supervision.place = program.place;
    const StopRoute route = stop_route(program.words);
    supervision.budget = stop_budget(job);
    delay(supervision, route);
    supervision.setting = "stopwaitsecs=" + program.stopwaitsecs.value;
    supervision.setting_place = program.stopwaitsecs.place;
    long long seconds = 0;
    std::from_chars(program.stopwaitsecs.value.data(), program.stopwaitsecs.value.data() + program.stopwaitsecs.value.size(),
                    seconds);
    supervision.given = std::clamp(Millis{seconds * 1000}, Millis{0}, kLongestDuration);
    supervision.given_known = !program.stopwaitsecs.unknown;
    judge(supervision, supervision.setting_place, "stopwaitsecs=" + std::to_string(supervision.budget.seconds),
          "[" + program.section + "]");

    const bool all_are_told = is_true(program.stopasgroup.value);
    weigh(supervision, route, all_are_told, program.command_place,
          [&](RouteFault fault) { return command_line(program, fault); });
    if (program.stopsignal.unknown) {
        worsen(supervision, StopVerdict::unknown);
    } else if (!is_stop_request(program.stopsignal.value)) {
        worsen(supervision, StopVerdict::lost);
        supervision.warnings.push_back(
            advice(program.stopsignal.place, program.place,
                   "stopsignal=" + program.stopsignal.value + " is no request to stop: nothing happens until SIGKILL",
                   "stopsignal=TERM"));
    }
    const std::string why = "=true is for programs that do not see to their own commands; lockstep does";
    if (is_true(program.stopasgroup.value))
        supervision.warnings.push_back(
            advice(program.stopasgroup.place, program.place, "stopasgroup" + why, "stopasgroup=false"));
    // Where only stopasgroup is stated, killasgroup follows it.
    if (is_true(program.killasgroup.value) && program.killasgroup.place.text() != program.stopasgroup.place.text())
        supervision.warnings.push_back(
            advice(program.killasgroup.place, program.place, "killasgroup" + why, "killasgroup=false"));
    warn_of_restarts(supervision, program);
    return supervision;
}

Supervision supervision_of(const JobSpec& job, const SystemdUnit& unit) {
    Supervision supervision;
    supervision.supervisor = "systemd";
    supervision.name = unit.name;
    supervision.place = unit.place;
    supervision.budget = stop_budget(job);
    // control-group tells each process by itself, whatever stands in front.
    const bool all_are_told = unit.kill_mode.value == "control-group";
    std::vector<StopRoute> routes;
    for (const auto& words : unit.commands) {
        routes.push_back(stop_route(words));
        if (!all_are_told) delay(supervision, routes.back());
    }
    supervision.given = unit.stop_timeout;
    supervision.setting = unit.stop_setting.key + "=" + unit.stop_setting.value;
    supervision.setting_place = unit.stop_setting.place;
    // The manager's default is no line of the unit: what is to be written is one of the unit's own.
    const bool own = unit.stop_setting.section == "Service";
    // Each message of the front adds to the time that it is given, if only the front is signalled: KillMode=control-group ends
    // the commands in hand by the SIGTERM, however long is waited.
    const bool only_front = unit.kill_mode.value == "mixed" || unit.kill_mode.value == "process";
    judge(supervision, own ? unit.stop_setting.place : ConfigPlace{},
          "TimeoutStopSec=" + std::to_string(supervision.budget.seconds) + "s", "[Service]");
    if (supervision.change && unit.hears_the_run && only_front) {
        supervision.verdict = StopVerdict::enough;
        supervision.change.reset();
        supervision.extended = true;
    }
    for (std::size_t i = 0; i < routes.size(); ++i) {
        const UnitAssignment& line = unit.command_lines[i];
        weigh(supervision, routes[i], all_are_told, line.place,
              [&](RouteFault fault) { return exec_line(line, unit.commands[i], fault); });
    }

    if (unit.kill_mode.value == "control-group" && job.shield != true) {
        supervision.warnings.push_back(advice(unit.kill_mode.place, unit.place,
                                              std::string("KillMode=control-group") +
                                                  (unit.kill_mode.place.file.empty() ? ", the default," : "") +
                                                  " sends SIGTERM to the commands in hand, too",
                                              "KillMode=mixed"));
    } else if (unit.kill_mode.value == "none") {
        worsen(supervision, StopVerdict::lost);
        supervision.warnings.push_back(advice(unit.kill_mode.place, unit.place,
                                              "KillMode=none sends no SIGTERM at all: it is not stopped", "KillMode=mixed"));
    }
    if (!is_stop_request(unit.kill_signal.value)) {
        worsen(supervision, StopVerdict::lost);
        supervision.warnings.push_back(
            advice(unit.kill_signal.place, unit.place,
                   "KillSignal=" + unit.kill_signal.value + " is no request to stop: nothing happens until SIGKILL",
                   "KillSignal=SIGTERM"));
    }
    const bool in_tmp = job.lock.starts_with("/tmp/") || job.lock.starts_with("/var/tmp/");
    if (unit.private_tmp.value == "yes" && in_tmp) {
        const bool implied = unit.private_tmp.key == "DynamicUser";
        supervision.warnings.push_back(advice(unit.private_tmp.place, unit.place,
                                              std::string(implied ? "DynamicUser=yes" : "PrivateTmp=yes") +
                                                  " gives it a /tmp of its own: no run outside meets the lock " + job.lock,
                                              implied ? "DynamicUser=no" : "PrivateTmp=no"));
    }
    // So far it is what a stop or a lock does at run time.
    for (Advice& warning : supervision.warnings) warning.at_start = true;
    if (!names_try_again(unit.success_exit_status)) {
        supervision.warnings.push_back(advice(
            {}, unit.place, "75, stopped with work left or busy, counts as a failure of the unit", "SuccessExitStatus=75"));
    }
    if (unit.needs_reload) {
        supervision.warnings.push_back(
            {unit.place, false, "the files have changed since systemd read them", "run: systemctl daemon-reload"});
    }
    return supervision;
}

}  // namespace lockstep
