#include "supervise/stop_budget.hpp"

#include <algorithm>

#include "job/job_file.hpp"

namespace lockstep {

namespace {

void add_phases(const StepSpec& step, std::vector<StopBudget::Part>& parts) {
    for (const PhaseName name : {PhaseName::first, PhaseName::second, PhaseName::compensate}) {
        const PhaseSpec* phase = step.phase(name);
        if (phase == nullptr) continue;
        const Millis to_end = phase->longest() - phase->deadline;
        std::string why = "deadline " + format_duration(phase->deadline);
        if (to_end.count() > 0) why += ", and " + format_duration(to_end) + " to end a command that overruns it";
        parts.push_back({step.name + " " + std::string(to_string(name)), std::move(why), phase->longest()});
    }
}

}  // namespace

StopBudget stop_budget(const JobSpec& job) {
    StopBudget budget;
    budget.longest_pair = job.longest_pair();
    const Millis patience = supervisor_patience(job);
    budget.margin = patience - budget.longest_pair;
    budget.seconds = std::chrono::ceil<std::chrono::seconds>(patience).count();
    if (job.section == Section::item) {
        for (const StepSpec& step : job.steps) add_phases(step, budget.parts);
    } else if (!job.steps.empty()) {
        add_phases(*std::ranges::max_element(job.steps, {}, &StepSpec::longest_pair), budget.parts);
    }
    return budget;
}

std::string budget_lines(const StopBudget& budget, const std::string& mark) {
    std::vector<StopBudget::Part> rows = budget.parts;
    rows.push_back({"the longest pair", "", budget.longest_pair});
    rows.push_back({"to end", "write the journal, give the lock back, on a busy machine", budget.margin});
    std::size_t widest = 0;
    for (const auto& row : rows) widest = std::max(widest, row.what.size());
    std::string text;
    for (const auto& row : rows) {
        std::string time = format_duration(row.time);
        time.insert(0, time.size() < 7 ? 7 - time.size() : 0, ' ');
        text += mark + "    " + row.what + std::string(widest - row.what.size(), ' ') + time +
                (row.why.empty() ? "" : "   " + row.why) + "\n";
    }
    return text;
}

std::string patience_comment(const StopBudget& budget, const std::string& mark, const std::string& supervisor,
                             const std::string& its_default) {
    return mark + "How long " + supervisor + " waits after its SIGTERM before it sends SIGKILL; its default is " + its_default +
           ". A pair that has begun is\n" + mark + "finished first, and that can take:\n" + budget_lines(budget, mark);
}

}  // namespace lockstep
