#pragma once
// The command line of everything but `exec`, as plain data. CLI11 stays inside arguments.cpp.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "job/job_file.hpp"
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
};

struct CheckArguments {
    std::vector<std::string> job_files;
    JobFileOptions file;
    bool json = false;
};

/// Nothing left to do: help or the version was printed, or the line was wrong and that was said.
struct Finished {
    int exit_status = 0;
};

using Arguments = std::variant<Finished, RunArguments, CheckArguments>;

/// Reads the command line; prints help, version and usage errors itself.
Arguments parse_arguments(int argc, char** argv);

}  // namespace lockstep
