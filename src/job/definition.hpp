#pragma once
// What the journal keeps beside an open pair: enough to finish it whatever has become of the job file since.
//
//   {"step": {…}, "params": {…}, "secrets": {…}, "directory": "/jobs", "maxPairAttempts": 10, "parkAfter": "1d"}
//
// Journals of version 1 hold the step alone.

#include "job/job_spec.hpp"

namespace lockstep {

struct Definition {
    StepSpec step;                                           ///< its own `definition` is the text that it was read from
    Json params;                                             ///< object: the values that were in force when the pair began
    std::map<std::string, SecretSpec, std::less<>> secrets;  ///< where they are to be found, never what they are
    std::string directory;                                   ///< absolute: what relative paths are relative to
    int max_pair_attempts = 10;
    Millis park_after{std::chrono::hours{24}};
};

/// The compact text for one step of a job, whose params, secrets and limits have been read already.
std::string definition_text(const Json& step, const JobSpec& job, const std::string& directory);

/// Reads it back. References to outputs of other steps are taken as they are: those steps are not in it.
/// @param directory  what relative paths of a definition of version 1, which does not say, are relative to
/// Errors: Failure::journal, with all that is wrong.
Result<Definition> parse_definition(const std::string& text, const std::string& directory = "/");

}  // namespace lockstep
