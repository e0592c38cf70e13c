#include "cli/status_command.hpp"

#include "base/clock.hpp"
#include "base/exit_status.hpp"
#include "cli/job_choice.hpp"
#include "cli/output.hpp"
#include "report/metrics.hpp"
#include "report/status.hpp"

namespace lockstep {

namespace {

ExitStatus exit_status(const JobStatus& status) { return status.parked.empty() ? ExitStatus::ok : ExitStatus::some_failed; }

/// A name with neither a journal nor a lock is most likely misspelt: for monitoring that must not look like "all is well".
bool is_unknown(const ChosenJob& job, const JobStatus& status) {
    return !job.has_file && !status.has_journal && status.lock.state == LockState::free;
}

std::string told(const StatusArguments& arguments, const JobStatus& status) {
    const std::int64_t now = wall_now_ms();
    if (arguments.metrics) return metrics_text({&status, 1}, now);
    return arguments.json ? to_text(status_json(status, now)) + "\n" : status_text(status, now);
}

int one_job(const StatusArguments& arguments) {
    const auto job = choose_job(arguments.job);
    if (!job) return job.error();
    const auto status =
        job_status({job->name, job->lock, arguments.job.state_directory, job->has_file, job->expect_every, job->steps});
    if (!status) return report_error(status.error());
    const ExitStatus result = is_unknown(*job, *status) ? ExitStatus::no_job_file
                              : arguments.metrics       ? ExitStatus::ok
                                                        : exit_status(*status);
    return print(told(arguments, *status), to_int(result));
}

/// Every job that has a journal in the state directory; each at the lock that its journal names.
int all_jobs(const StatusArguments& arguments) {
    auto directory =
        arguments.job.state_directory.empty() ? default_state_directory() : Result<std::string>(arguments.job.state_directory);
    if (!directory) return report_error(directory.error());
    const auto jobs = jobs_with_journal(*directory);
    if (!jobs) return report_error(jobs.error());
    std::vector<JobStatus> all;
    ExitStatus worst = ExitStatus::ok;
    for (const std::string& job : *jobs) {
        auto status = job_status({job, lock_of_job(job, *directory), arguments.job.state_directory});
        if (!status) {
            worst = graver(worst, static_cast<ExitStatus>(report_error(status.error())));
            continue;
        }
        if (!arguments.metrics) worst = graver(worst, exit_status(*status));
        all.push_back(std::move(*status));
    }
    const std::int64_t now = wall_now_ms();
    if (arguments.metrics) return print(metrics_text(all, now), to_int(worst));
    Json json = Json::array();
    std::string text = jobs->empty() ? "no job has a journal in " + *directory + "\n" : "";
    for (const JobStatus& status : all) {
        if (arguments.json) json.push(status_json(status, now));
        text += status_text(status, now);
    }
    return print(arguments.json ? to_text(json) + "\n" : text, to_int(worst));
}

}  // namespace

int status_command(const StatusArguments& arguments) {
    return arguments.job.job.empty() ? all_jobs(arguments) : one_job(arguments);
}

}  // namespace lockstep
