#include "supervise/supervision_front.hpp"

#include <algorithm>

#include "supervise/entry_words.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

using Mended = std::function<StopRoute::Command(const StopRoute&)>;

int badness(StopVerdict verdict) {
    constexpr StopVerdict kOrder[] = {StopVerdict::enough, StopVerdict::tight, StopVerdict::unknown, StopVerdict::too_short,
                                      StopVerdict::lost};
    return static_cast<int>(std::ranges::find(kOrder, verdict) - kOrder);
}

/// The line, and where `user` is to be named by the supervisor, that one, too.
std::string with_user(const Supervision& supervision, std::string line, const std::string& user) {
    if (user.empty()) return line;
    return line + " and " + (supervision.supervisor == "systemd" ? "User=" : "user=") + user;
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
           const std::function<std::string(const Mended&)>& line_of) {
    if (route.end != StopRoute::End::arrives) {
        if (!all_are_told) worsen(supervision, route.end == StopRoute::End::lost ? StopVerdict::lost : StopVerdict::unknown);
        const std::string line = line_of([](const StopRoute& one) { return one.write; });
        supervision.warnings.push_back(
            {place, false, route.why, line.empty() ? route.piece : with_user(supervision, line, route.user)});
    }
    if (!route.kill) return;
    const StopVerdict by_front = verdict_of(route.kill->after, supervision.budget, route.kill->delay);
    if (by_front == StopVerdict::enough) return;
    worsen(supervision, by_front);
    const std::string line = line_of([](const StopRoute& one) { return one.kill ? one.kill->write : StopRoute::Command{}; });
    supervision.warnings.push_back(
        {place, false, route.kill->why, line.empty() ? route.piece : with_user(supervision, line, route.kill->user)});
}

std::string command_line(const SupervisordProgram& program, const Mended& mended) {
    const auto written = shlex_split(program.command);
    if (written && written->size() == program.words.size()) {
        const auto line = mended(stop_route(*written));
        if (!line.empty()) return "command=" + for_supervisord_as_written(line);
    }
    const auto line = mended(stop_route(program.words));
    return line.empty() ? "" : "command=" + for_supervisord(line);
}

std::string exec_line(const UnitAssignment& line, const std::vector<std::string>& words, const Mended& mended) {
    const WrittenExec written = written_exec(line.value);
    auto words_to_write = mended(stop_route(written.words));
    if (!words_to_write.empty()) return "ExecStart=" + written.signs + for_systemd_as_written(words_to_write);
    words_to_write = mended(stop_route(words));
    return words_to_write.empty() ? "" : "ExecStart=" + written.signs + for_systemd(words_to_write);
}

}  // namespace lockstep
