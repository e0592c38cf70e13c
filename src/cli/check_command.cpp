#include "cli/check_command.hpp"

#include <cstdio>

#include "base/exit_status.hpp"

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

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

int report_problems(const std::string& file, const JobFileProblems& problems) {
    std::string text;
    for (const Finding& finding : problems.findings) text += "lockstep: " + to_text(finding, file) + "\n";
    if (problems.findings.empty()) text += "lockstep: " + problems.error.text + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
    return to_int(exit_status_of(problems.error.failure));
}

int check_command(const CheckArguments& arguments) {
    ExitStatus status = ExitStatus::ok;
    Json all = Json::array();
    for (const std::string& file : arguments.job_files) {
        const auto job = read_job_file(file, arguments.file);
        if (!job) status = graver(status, exit_status_of(job.error().error.failure));
        if (arguments.json && job) {
            Json& plan = all.push(plan_as_json(*job));
            plan.set("file", Json::of_string(file));
            plan.set("ok", Json::of_boolean(true));
        } else if (arguments.json) {
            all.push(as_json(file, job.error()));
        } else if (job) {
            print(describe_plan(*job));
        } else {
            report_problems(file, job.error());
        }
    }
    if (arguments.json) print(to_text(all) + "\n");
    // An unwritable stdout must not look like "all is right".
    return std::fflush(stdout) != 0 ? to_int(ExitStatus::journal) : to_int(status);
}

}  // namespace lockstep
