#pragma once
// The command line of everything but `exec`, as plain data. What each command takes: options_*.cpp.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "convert/crontab_line.hpp"
#include "job/job_file.hpp"
#include "journal/journal.hpp"
#include "run/run_options.hpp"

namespace lockstep {

/// `run` and `loop`.
struct RunArguments {
    std::string job_file;
    JobFileOptions file;
    RunOptions options;
    std::optional<Millis> every;  ///< loop: overrides the job file's
    std::optional<int> max_concurrency;
    bool dry_run = false;
    std::optional<Millis> stop_timeout;  ///< how long whoever stops us waits, where nobody can be asked
};

struct CheckArguments {
    std::vector<std::string> job_files;
    JobFileOptions file;
    std::vector<std::string> supervisord;  ///< configuration files
    std::vector<std::string> systemd;      ///< units: names or paths
    bool overdue = false;                  ///< in place of the plan: is the last success too long ago
    std::string state_directory;           ///< with overdue
    bool json = false;
};

/// The job of `status`, `history` and `resolve`, and where its lock and its journal lie.
struct JobChoice {
    std::string job;  ///< a job file, or the name of a job
    JobFileOptions file;
    std::string state_directory;
};

struct StatusArguments {
    JobChoice job;  ///< with an empty job: all that have a journal
    bool json = false;
    bool metrics = false;
};

struct HistoryArguments {
    JobChoice job;
    std::int64_t limit = 20;
    bool json = false;
};

struct ResolveArguments {
    JobChoice job;
    std::vector<std::string> keys;
    bool all_parked = false;  ///< in place of keys
    std::string phase;        ///< with all_parked: only what is parked in this one; empty: in any
    std::string step;         ///< empty: the one that is meant, or with all_parked every one
    DecisionVerb verb = DecisionVerb::again;
    bool redefine = false;
    std::vector<std::pair<std::string, std::string>> outputs;
};

struct LocksArguments {
    std::vector<std::string> roots;              ///< empty: the default one
    std::vector<std::string> state_directories;  ///< empty: the default one
    bool json = false;
};

struct UnlockArguments {
    std::string lock;  ///< as LockPath::open takes it
    std::string run;   ///< the run that is meant; empty: none was named
    bool terminate = false;
    std::optional<Millis> wait = std::chrono::minutes{1};  ///< with terminate; nullopt: for ever
};

struct ConvertArguments {
    std::string file;                ///< "" or "-": stdin
    std::vector<std::string> lines;  ///< in place of a file
    CrontabKind kind = CrontabKind::user;
    std::string program;  ///< how lockstep is called in the lines; "": by its name or its path, as its PATH has it
};

struct SetupArguments {
    std::string supervisor;  ///< "supervisord", "systemd", "cron" or "kubernetes"
    std::string job_file;
    JobFileOptions file;
    std::string state_directory;
    std::optional<Millis> every;
    std::string schedule;
    std::string user;
    std::string program;
    std::string image;
    std::string directory;  ///< to write to; empty: print
    bool force = false;
};

struct InitArguments {
    std::string kind;  ///< one of kStartingJobs
    std::string name;
    std::string directory = ".";
    bool force = false;
};

/// Nothing left to do: help or the version was printed, or the line was wrong and that was said.
struct Finished {
    int exit_status = 0;
};

using Arguments = std::variant<Finished, RunArguments, CheckArguments, StatusArguments, HistoryArguments, ResolveArguments,
                               LocksArguments, UnlockArguments, ConvertArguments, SetupArguments, InitArguments>;

/// Reads the command line; prints help, version and usage errors itself.
Arguments parse_arguments(int argc, char** argv);

}  // namespace lockstep
