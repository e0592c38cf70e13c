#include "cli/overdue_check.hpp"

#include "base/clock.hpp"
#include "base/exit_status.hpp"
#include "cli/check_command.hpp"
#include "cli/output.hpp"
#include "journal/journal_reader.hpp"
#include "report/expectation.hpp"

namespace lockstep {

namespace {

/// Reads the end of the newest successful pass; a job without a journal has none.
Result<Expectation> expectation_of(const JobSpec& job, const std::string& state_directory) {
    Expectation expectation{job.expect_every, std::nullopt};
    auto reader = JournalReader::open({state_directory, job.name});
    if (!reader) return std::unexpected(reader.error());
    if (!*reader) return expectation;
    const auto success = (*reader)->last_success();
    if (!success) return std::unexpected(success.error());
    if (*success) expectation.last_success_ms = (*success)->ended_ms;
    return expectation;
}

std::string line(const JobSpec& job, const Expectation& expectation, std::int64_t now) {
    const std::string text = job.name + ": " + expectation_text(expectation, now);
    return expectation.every ? text + "\n" : text + "; how often is it expected? Add \"expectEvery\" to " + job.file + "\n";
}

}  // namespace

int overdue_check(const CheckArguments& arguments) {
    ExitStatus status = ExitStatus::ok;
    std::string text;
    Json all = Json::array();
    for (const std::string& file : arguments.job_files) {
        const auto job = read_job_file(file, arguments.file);
        if (!job) {
            report_problems(file, job.error());
            status = graver(status, exit_status_of(job.error().error.failure));
            continue;
        }
        const auto expectation = expectation_of(*job, arguments.state_directory);
        if (!expectation) {
            report_error(expectation.error());
            status = graver(status, exit_status_of(expectation.error().failure));
            continue;
        }
        const std::int64_t now = wall_now_ms();
        const bool wrong = !expectation->every || is_overdue(*expectation, now);
        if (wrong) status = graver(status, ExitStatus::some_failed);
        text += line(*job, *expectation, now);
        Json& one = all.push(Json::object());
        one.set("job", Json::of_string(job->name));
        one.set("file", Json::of_string(file));
        add_expectation(one, *expectation, now);
    }
    return print(arguments.json ? to_text(all) + "\n" : text, to_int(status));
}

}  // namespace lockstep
