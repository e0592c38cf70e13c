#pragma once
// The guardian of `run` and `loop`: its main thread reads signals and what the front passes on, and decides what they mean;
// a Runner in a thread beside it does the work.

#include "run/guardian_link.hpp"
#include "run/run_options.hpp"

namespace lockstep {

/// @return the exit status
int guard_job(const JobSpec& job, const RunOptions& options, GuardianLink& link);

}  // namespace lockstep
