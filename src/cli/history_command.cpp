#include "cli/history_command.hpp"

#include "cli/job_choice.hpp"
#include "cli/output.hpp"
#include "report/history.hpp"

namespace lockstep {

int history_command(const HistoryArguments& arguments) {
    const auto job = choose_job(arguments.job);
    if (!job) return job.error();
    const auto history = job_history({arguments.job.state_directory, job->name}, arguments.limit);
    if (!history) return report_error(history.error());
    return print(arguments.json ? to_text(history_json(*history)) + "\n" : history_text(*history), 0);
}

}  // namespace lockstep
