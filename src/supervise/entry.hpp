#pragma once
// What `lockstep setup` prints: the entry that makes a supervisor run a job and wait long enough when it stops it. Every line
// that matters says why it is there.

#include <optional>
#include <string>
#include <vector>

#include "job/job_spec.hpp"

namespace lockstep {

/// What an entry is made from, beside the job.
struct EntryRequest {
    std::string program;               ///< absolute path of lockstep
    std::string job_file;              ///< absolute path
    std::vector<std::string> options;  ///< behind the job file, as they were given to setup: --lock, --set, --state-dir
    std::optional<Millis> every;       ///< the pause of `loop`; unset: the job is run at set times
    std::string pause_option;          ///< --every as it was given, "" where the job file has it
    std::string schedule;              ///< at what times: the supervisor's own words, or "" for what fits the job
    std::string user;                  ///< the account that it runs as; "" if that has no name
    std::string home;                  ///< of that account; "" if unknown
    std::string image;                 ///< kubernetes: the container's image
};

struct EntryFile {
    std::string name;
    std::string text;
};

/// A [program:x] section for supervisord 3 and 4. It has no timetable: `every` must be set.
/// All of these: Failure::usage when a path cannot be written in the supervisor's syntax (a line break in it).
Result<std::vector<EntryFile>> supervisord_entry(const JobSpec& job, const EntryRequest& request);

/// A service; without `every` a timer, too. Source: systemd.service(5), systemd.kill(5), systemd.timer(5).
Result<std::vector<EntryFile>> systemd_entry(const JobSpec& job, const EntryRequest& request);

/// A line for crontab(1), or for a file in /etc/cron.d if `system`: with the account's name before the command.
Result<std::vector<EntryFile>> cron_entry(const JobSpec& job, const EntryRequest& request, bool system);

/// A volume claim for the journal, and a Deployment, or without `every` a CronJob.
Result<std::vector<EntryFile>> kubernetes_entry(const JobSpec& job, const EntryRequest& request);

}  // namespace lockstep
