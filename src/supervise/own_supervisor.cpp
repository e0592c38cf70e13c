#include "supervise/own_supervisor.hpp"

#include "base/text.hpp"
#include "supervise/supervisord_rpc.hpp"

namespace lockstep {

namespace {

std::string needs_text(const StopBudget& budget) {
    return "the longest pair takes " + format_duration(budget.longest_pair) + " and its end " + format_duration(budget.margin);
}

OwnSupervision judged(const std::string& who, const JobSpec& job, Millis given, const std::string& setting,
                      const std::string& change) {
    const StopBudget budget = stop_budget(job);
    OwnSupervision own;
    own.who = who;
    own.given = given;
    own.too_short = given < budget.longest_pair;
    if (given < budget.longest_pair + budget.margin) {
        own.text = who + " waits " + format_duration(given) + " after its SIGTERM (" + setting + "), and " +
                   needs_text(budget) + (own.too_short ? ": a stop can be cut. " : ": that is tight. ") + change;
    }
    return own;
}

std::optional<OwnSupervision> of_supervisord(const JobSpec& job, const RunBy& by, MonotonicTime deadline) {
    const auto facts = ask_supervisord(by.server_url, by.group, by.process, deadline);
    if (!facts) return std::nullopt;
    const std::string name = by.group.empty() || by.group == by.process ? by.process : by.group + ":" + by.process;
    const std::string seconds = std::to_string(stop_budget(job).seconds);
    return judged(
        "supervisord", job, Millis{std::max(facts->stopwaitsecs, 0) * 1000LL},
        "stopwaitsecs=" + std::to_string(facts->stopwaitsecs) + ", which may be read and not yet applied",
        "Write stopwaitsecs=" + seconds + " into the section of " + printable(name) + ", then supervisorctl reread and update");
}

std::optional<OwnSupervision> of_systemd(const JobSpec& job, const RunBy& by, pid_t front, pid_t parent, bool told,
                                         Millis limit) {
    auto managed = ask_systemd(by.unit, by.user_manager, limit);
    // Started by something inside the unit, not by systemd: what the unit does when it stops is another matter.
    if (!managed || (managed->main_pid != front && managed->main_pid != parent)) return std::nullopt;
    managed->unit.hears_the_run = told && managed->main_pid == front;
    const Supervision supervision = supervision_of(job, managed->unit);
    OwnSupervision own;
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

std::optional<OwnSupervision> ask_own_supervisor(const JobSpec& job, const RunBy& by, pid_t front, pid_t parent_of_front,
                                                 bool told, std::optional<Millis> declared, Millis limit) {
    if (declared) {
        const std::string seconds = std::to_string(stop_budget(job).seconds);
        OwnSupervision own =
            judged("whoever stops it", job, *declared, "--stop-timeout " + format_duration(*declared),
                   "Give it " + seconds + " s (docker stop --time=" + seconds + ", terminationGracePeriodSeconds: " + seconds +
                       ") and say so with --stop-timeout " + seconds + "s");
        own.gives_more = told && by.kind == RunBy::Kind::systemd;
        return own;
    }
    switch (by.kind) {
        case RunBy::Kind::supervisord: return of_supervisord(job, by, monotonic_now() + limit);
        case RunBy::Kind::systemd: return of_systemd(job, by, front, parent_of_front, told, limit);
        case RunBy::Kind::container:
        case RunBy::Kind::person: return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace lockstep
