#include "cli/check_command.hpp"

#include <algorithm>
#include <cstdio>

#include "base/exit_status.hpp"
#include "cli/check_supervision.hpp"
#include "cli/output.hpp"
#include "cli/overdue_check.hpp"

namespace lockstep {

namespace {

Json as_json(const Finding& finding) {
    Json json;
    json.set("line", Json::of_number(static_cast<std::int64_t>(finding.line)));
    json.set("column", Json::of_number(static_cast<std::int64_t>(finding.column)));
    json.set("pointer", Json::of_string(finding.pointer));
    json.set("what", Json::of_string(finding.what));
    json.set("advice", Json::of_string(finding.advice));
    return json;
}

Json as_json(const std::string& file, const JobFileProblems& problems) {
    Json json;
    json.set("file", Json::of_string(file));
    json.set("ok", Json::of_boolean(false));
    json.set("error", Json::of_string(problems.error.text));
    Json& findings = json.set("findings", Json::array());
    for (const Finding& finding : problems.findings) findings.push(as_json(finding));
    return json;
}

/// In the form of the run's own lines, for what reads those.
void log_problems(const std::string& file, const JobFileProblems& problems) {
    const log::Options options{.job = "", .run_id = "", .format = log::Format::json};
    for (const Finding& finding : problems.findings) {
        log::say_now(options, log::Level::error, to_text(finding, file),
                     {{"file", file},
                      {"line", static_cast<std::int64_t>(finding.line)},
                      {"column", static_cast<std::int64_t>(finding.column)},
                      {"pointer", finding.pointer}});
    }
    if (problems.findings.empty()) log::say_now(options, log::Level::error, problems.error.text, {{"file", file}});
}

}  // namespace

int report_problems(const std::string& file, const JobFileProblems& problems, log::Format format) {
    if (format == log::Format::json) {
        log_problems(file, problems);
        return to_int(exit_status_of(problems.error.failure));
    }
    std::string text;
    for (const Finding& finding : problems.findings) text += "lockstep: " + to_text(finding, file) + "\n";
    if (problems.findings.empty()) text += "lockstep: " + problems.error.text + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
    return to_int(exit_status_of(problems.error.failure));
}

namespace {

/// What is to be said of a job that is right, and whether its supervisors would cut a stop.
struct Checked {
    std::string text;
    Json json;
    bool cut = false;
};

Checked check_job(const JobSpec& job, const std::string& file, const ConfiguredSupervisors& supervisors) {
    Checked checked{describe_plan(job), plan_as_json(job), false};
    checked.json.set("file", Json::of_string(file));
    checked.json.set("ok", Json::of_boolean(true));
    if (!supervisors.any()) return checked;
    const std::vector<Supervision> found = supervisors.of(job, file);
    checked.cut = found.empty() || would_be_cut(found);
    Json& all = checked.json.set("supervised", Json::array());
    checked.text += "\n";
    for (const Supervision& one : found) {
        all.push(supervision_json(one));
        checked.text += supervision_text(one);
    }
    if (found.empty()) checked.text += "  " + supervisors.nobody_runs(job) + "\n";
    return checked;
}

}  // namespace

int check_command(CheckArguments arguments) {
    const auto is_schema = [](const std::string& file) { return file.ends_with(".schema.json"); };
    if (!std::ranges::all_of(arguments.job_files, is_schema)) std::erase_if(arguments.job_files, is_schema);
    if (arguments.overdue) return overdue_check(arguments);
    const auto supervisors = ConfiguredSupervisors::read(arguments);
    if (!supervisors) return report_error(supervisors.error());
    ExitStatus status = ExitStatus::ok;
    Json all = Json::array();
    for (const std::string& file : arguments.job_files) {
        const auto job = read_job_file(file, arguments.file);
        if (!job) {
            status = graver(status, exit_status_of(job.error().error.failure));
            if (arguments.json) {
                all.push(as_json(file, job.error()));
            } else {
                report_problems(file, job.error());
            }
            continue;
        }
        Checked checked = check_job(*job, file, *supervisors);
        if (checked.cut) status = graver(status, ExitStatus::some_failed);
        if (arguments.json) {
            all.push(std::move(checked.json));
        } else {
            if (const int unwritten = print(checked.text, 0); unwritten != 0) return unwritten;
        }
    }
    return print(arguments.json ? to_text(all) + "\n" : "", to_int(status));
}

}  // namespace lockstep
