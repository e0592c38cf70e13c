#pragma once
// The JOB of `status`, `history` and `resolve`: a job file, or the name of a job whose file is not at hand.

#include <expected>
#include <string>

#include "cli/arguments.hpp"

namespace lockstep {

struct ChosenJob {
    std::string name;
    std::string lock;                    ///< as LockPath::open takes it; "" stands for none in JobChoice, never here
    bool has_file = false;               ///< false: only its name is known
    std::optional<Millis> expect_every;  ///< of the job file
    std::vector<StepSpec> steps;         ///< of the job file
};

/// What names a file ('/' in it, or .json at its end) is read. An error has been said on stderr; it is the exit status.
std::expected<ChosenJob, int> choose_job(const JobChoice& choice);

/// Of a job whose file is not at hand: where its journal says that it lay in the newest run, else the default place.
std::string lock_of_job(const std::string& job, const std::string& state_directory);

}  // namespace lockstep
