#pragma once
// A command line in the syntax of each supervisor, and the times at which a job is run: inside this room only.

#include "supervise/cron_times.hpp"
#include "supervise/entry.hpp"

namespace lockstep {

/// The words of the command: lockstep run|loop JOB.json and the options. Failure::usage if one of them has a line break.
Result<std::vector<std::string>> command_words(const EntryRequest& request);

/// supervisord's `command`: split by shlex, then '%' expanded, and " ;" begins a comment even inside quotes.
std::string for_supervisord(const std::vector<std::string>& words);
/// The same of words in which '%' is written as the supervisor reads it already.
std::string for_supervisord_as_written(const std::vector<std::string>& words);
/// ExecStart=: systemd.service(5), "COMMAND LINES"; '%' and '$' are doubled.
std::string for_systemd(const std::vector<std::string>& words);
/// The same of words in which '%' and '$' are written as systemd reads them already.
std::string for_systemd_as_written(const std::vector<std::string>& words);
/// crontab(5): sh's words, '%' with a backslash.
std::string for_cron(const std::vector<std::string>& words);
/// A flow sequence of double-quoted scalars; "$(" is doubled, for Kubernetes expands $(NAME) in it.
std::string for_yaml(const std::vector<std::string>& words);
/// A double-quoted scalar of YAML 1.2.
std::string yaml_quoted(const std::string& text);

/// The environment variables that hold the job's secrets: the supervisor has to give them.
std::vector<std::string> secret_variables(const JobSpec& job);

/// How often the job is to be run where nobody said so: as often as it is expected to succeed, if that is a time of the
/// clock, else hourly.
struct Timetable {
    std::string cron;      ///< five fields
    std::string calendar;  ///< systemd.time(7)
};
Timetable timetable_for(const JobSpec& job);

/// What cron or Kubernetes takes, or where nothing was given what fits the job. Failure::usage says what is wrong.
Result<std::string> cron_schedule(const JobSpec& job, const std::string& schedule, CronDialect dialect);

}  // namespace lockstep
