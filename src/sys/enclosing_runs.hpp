#pragma once
// LOCKSTEP_RUN_ID: the ids of the runs that a process is a command of, the outermost first, with spaces between them.

#include <string>
#include <string_view>

namespace lockstep {

inline constexpr const char* kRunIdVariable = "LOCKSTEP_RUN_ID";

/// Those of this process: its environment's, "" outside of any run.
std::string_view enclosing_runs();

/// Those of a command of the run `run_id` of ours.
std::string enclosing_runs_with(std::string_view run_id);

}  // namespace lockstep
