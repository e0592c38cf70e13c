#include "supervise/supervision_front.hpp"

#include <algorithm>

#include "supervise/entry_words.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

int badness(StopVerdict verdict) {
    constexpr StopVerdict kOrder[] = {StopVerdict::enough, StopVerdict::tight, StopVerdict::unknown, StopVerdict::too_short,
                                      StopVerdict::lost};
    return static_cast<int>(std::ranges::find(kOrder, verdict) - kOrder);
}

/// The whole command to have instead; empty where that cannot be told.
StopRoute::Command command_without(RouteFault fault, std::span<const std::string> words) {
    const StopRoute route = stop_route(words);
    if (fault == RouteFault::front) return route.write;
    return route.kill ? route.kill->write : StopRoute::Command{};
}

/// @param line  the setting to write, which names no `user`: that is a setting of its own; "": what a script should say
void warn(Supervision& supervision, const ConfigPlace& place, const std::string& why, std::string line, const std::string& user,
          const std::string& script) {
    if (line.empty()) {
        line = script;
    } else if (!user.empty()) {
        line += " and " + std::string(supervision.supervisor == "systemd" ? "User=" : "user=") + user;
    }
    supervision.warnings.push_back({place, false, why, std::move(line)});
}

}  // namespace

StopVerdict verdict_of(std::optional<Millis> given, const StopBudget& budget, Millis delay) {
    if (!given || *given >= budget.longest_pair + budget.margin + delay) return StopVerdict::enough;
    return *given >= budget.longest_pair + delay ? StopVerdict::tight : StopVerdict::too_short;
}

void worsen(Supervision& supervision, StopVerdict verdict) {
    if (badness(verdict) > badness(supervision.verdict)) supervision.verdict = verdict;
}

void delay(Supervision& supervision, const StopRoute& route) {
    if (route.delay <= supervision.delay) return;
    supervision.delay = route.delay;
    const Millis needed = supervision.budget.longest_pair + supervision.budget.margin + route.delay;
    supervision.budget.seconds = std::chrono::ceil<std::chrono::seconds>(needed).count();
}

void weigh(Supervision& supervision, const StopRoute& route, bool all_are_told, const ConfigPlace& place,
           const std::function<std::string(RouteFault)>& line_without) {
    if (route.end != StopRoute::End::arrives) {
        if (!all_are_told) worsen(supervision, route.end == StopRoute::End::lost ? StopVerdict::lost : StopVerdict::unknown);
        warn(supervision, place, route.why, line_without(RouteFault::front), route.user, route.piece);
    }
    if (!route.kill) return;
    const StopVerdict by_front = verdict_of(route.kill->after, supervision.budget, route.kill->delay);
    if (by_front == StopVerdict::enough) return;
    worsen(supervision, by_front);
    warn(supervision, place, route.kill->why, line_without(RouteFault::patience), route.kill->user, route.piece);
}

std::string command_line(const SupervisordProgram& program, RouteFault fault) {
    const auto written = shlex_split(program.command);
    if (written && written->size() == program.words.size()) {
        const auto line = command_without(fault, *written);
        if (!line.empty()) return "command=" + for_supervisord_as_written(line);
    }
    const auto line = command_without(fault, program.words);
    return line.empty() ? "" : "command=" + for_supervisord(line);
}

std::string exec_line(const UnitAssignment& line, const std::vector<std::string>& words, RouteFault fault) {
    const WrittenExec written = written_exec(line.value);
    auto words_to_write = command_without(fault, written.words);
    if (!words_to_write.empty()) return "ExecStart=" + written.signs + for_systemd_as_written(words_to_write);
    words_to_write = command_without(fault, words);
    return words_to_write.empty() ? "" : "ExecStart=" + written.signs + for_systemd(words_to_write);
}

}  // namespace lockstep
