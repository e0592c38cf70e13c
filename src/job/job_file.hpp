#pragma once
// From a job file's text to a JobSpec, or to all that is wrong with it.

#include <string>
#include <utility>
#include <vector>

#include "job/job_spec.hpp"

namespace lockstep {

/// One thing wrong with a job file.
struct Finding {
    std::size_t line = 0;  ///< from 1; 0: not about a place (for instance --set of an undeclared parameter)
    std::size_t column = 0;
    std::string pointer;  ///< RFC 6901 pointer to the value
    std::string what;
    std::string advice;  ///< what to do; may be empty
};

/// "jobs/a.json:14:17: /steps/0/first/http/method: "PSOT" is not an HTTP method; did you mean "POST"?"
std::string to_text(const Finding& finding, std::string_view file);

struct JobFileProblems {
    Error error;                    ///< what the exit status follows: no_job_file or job_file
    std::vector<Finding> findings;  ///< every one, in the file's order; empty if the file could not even be read
};

struct JobFileOptions {
    std::vector<std::pair<std::string, std::string>> set;  ///< --set NAME=VALUE: values of declared params
    std::string lock;                                      ///< --lock: overrides "lock"
};

/// Reads and checks a whole job file. Nothing is created, locked, sent or run; secrets are not looked at.
std::expected<JobSpec, JobFileProblems> read_job_file(const std::string& path, const JobFileOptions& options);

/// The same from a text, as if it stood in `directory` (absolute) under the name `file`.
std::expected<JobSpec, JobFileProblems> parse_job(std::string_view text, const std::string& file, const std::string& directory,
                                                  const JobFileOptions& options);

/// What `lockstep check` prints of a job that is right: steps, longest pair, idempotency, what happens in doubt.
std::string describe_plan(const JobSpec& job);
Json plan_as_json(const JobSpec& job);

/// How long a supervisor must wait after SIGTERM before it kills: the longest pair and 5 s more.
Millis supervisor_patience(const JobSpec& job);

}  // namespace lockstep
