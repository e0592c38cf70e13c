#include "cli/job_choice.hpp"

#include <cstdio>

#include "base/exit_status.hpp"
#include "base/text.hpp"
#include "cli/check_command.hpp"
#include "journal/journal_reader.hpp"

namespace lockstep {

std::expected<ChosenJob, int> choose_job(const JobChoice& choice) {
    const bool is_file = choice.job.find('/') != std::string::npos || choice.job.ends_with(".json");
    if (is_file) {
        auto job = read_job_file(choice.job, choice.file);
        if (!job) return std::unexpected(report_problems(choice.job, job.error()));
        return ChosenJob{std::move(job->name), std::move(job->lock), true, job->expect_every, std::move(job->steps)};
    }
    if (!is_name(choice.job)) {
        std::fprintf(stderr, "lockstep: %s is neither a job file (.json) nor the name of a job\n",
                     printable(choice.job).c_str());
        return std::unexpected(to_int(ExitStatus::usage));
    }
    std::string lock = choice.file.lock.empty() ? lock_of_job(choice.job, choice.state_directory) : choice.file.lock;
    return ChosenJob{choice.job, std::move(lock), false, std::nullopt, {}};
}

std::string lock_of_job(const std::string& job, const std::string& state_directory) {
    if (auto reader = JournalReader::open({state_directory, job}); reader && *reader) {
        if (const auto run = (*reader)->newest_run(); run && !run->lock.empty()) return run->lock;
    }
    return "/tmp/" + job + ".lock";
}

}  // namespace lockstep
