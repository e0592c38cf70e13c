#include "supervise/own_supervisor.hpp"

#include "base/text.hpp"
#include "supervise/stop_budget.hpp"
#include "supervise/supervision.hpp"
#include "supervise/supervisord_rpc.hpp"

namespace lockstep {

namespace {

std::string needs_text(const StopBudget& budget) {
    return "the longest pair takes " + format_duration(budget.longest_pair) + " and its end " + format_duration(budget.margin);
}

SupervisorWord judged(const std::string& who, const JobSpec& job, Millis given, const std::string& setting,
                      const std::string& change) {
    const StopBudget budget = stop_budget(job);
    SupervisorWord own;
    own.who = who;
    own.given = given;
    own.too_short = given < budget.longest_pair;
    if (given < budget.longest_pair + budget.margin) {
        own.text = who + " waits " + format_duration(given) + " after its SIGTERM (" + setting + "), and " +
                   needs_text(budget) + (own.too_short ? ": a stop can be cut. " : ": that is tight. ") + change;
    }
    return own;
}

std::optional<SupervisorWord> of_supervisord(const JobSpec& job, const RunBy& by, MonotonicTime deadline) {
    const auto stopwaitsecs = ask_stopwaitsecs(by.server_url, by.group, by.process, deadline);
    if (!stopwaitsecs) return std::nullopt;
    const std::string name = by.group.empty() || by.group == by.process ? by.process : by.group + ":" + by.process;
    const std::string seconds = std::to_string(stop_budget(job).seconds);
    return judged(
        "supervisord", job, Millis{std::max(*stopwaitsecs, 0) * 1000LL},
        "stopwaitsecs=" + std::to_string(*stopwaitsecs) + ", which may be read and not yet applied",
        "Write stopwaitsecs=" + seconds + " into the section of " + printable(name) + ", then supervisorctl reread and update");
}

std::optional<SupervisorWord> of_systemd(const JobSpec& job, const SupervisedRun& run, Millis limit) {
    const RunBy& by = run.by;
    auto managed = ask_systemd(by.unit, by.user_manager, limit);
    // Started by something inside the unit, not by systemd: what the unit does when it stops is another matter.
    if (!managed || (managed->main_pid != run.front && managed->main_pid != run.parent_of_front)) return std::nullopt;
    managed->unit.hears_the_run = run.is_heard && managed->main_pid == run.front;
    const Supervision supervision = supervision_of(job, managed->unit);
    SupervisorWord own;
    own.who = "systemd";
    own.given = supervision.given;
    own.too_short = supervision.verdict == StopVerdict::too_short;
    own.gives_more = supervision.extended;
    const std::string place = supervision.setting_place.file.empty() ? "the default" : supervision.setting_place.text();
    const std::string setting = supervision.setting + ", " + printable(place, 4096);
    if (supervision.extended) {
        own.text = "systemd waits " + format_duration(*supervision.given) + " after its SIGTERM (" + setting + "), and " +
                   needs_text(supervision.budget);
    }
    if (supervision.change) {
        own = judged("systemd", job, *supervision.given, setting,
                     (supervision.change->add ? "Add " : "Write ") + supervision.change->write + " under [Service] (" +
                         printable(supervision.change->place.text(), 4096) + ")");
    }
    // What SIGTERM leaves of the commands in hand has the time that the front asks for: no SIGKILL is to be reckoned with.
    if (managed->unit.hears_the_run) own.given = std::nullopt;
    own.signals_commands = managed->unit.kill_mode.value == "control-group";
    for (const Advice& one : supervision.warnings) {
        if (one.at_start) own.warnings.push_back(one.why + ": write " + one.write + " under [Service] of " + by.unit);
    }
    return own;
}

}  // namespace

std::optional<SupervisorWord> ask_own_supervisor(const JobSpec& job, const SupervisedRun& run, Millis limit) {
    if (run.declared_wait) {
        const std::string seconds = std::to_string(stop_budget(job).seconds);
        SupervisorWord own =
            judged("whoever stops it", job, *run.declared_wait, "--stop-timeout " + format_duration(*run.declared_wait),
                   "Give it " + seconds + " s (docker stop --time=" + seconds + ", terminationGracePeriodSeconds: " + seconds +
                       ") and say so with --stop-timeout " + seconds + "s");
        own.gives_more = run.is_heard && run.by.kind == RunBy::Kind::systemd;
        return own;
    }
    switch (run.by.kind) {
        case RunBy::Kind::supervisord: return of_supervisord(job, run.by, monotonic_now() + limit);
        case RunBy::Kind::systemd: return of_systemd(job, run, limit);
        case RunBy::Kind::container:
        case RunBy::Kind::person: return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace lockstep
