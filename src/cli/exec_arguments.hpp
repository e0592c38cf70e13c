#pragma once
// The command line of `lockstep exec`, read by hand: building CLI11's objects costs as much as taking the lock.

#include <string>

#include "run/exec_options.hpp"

namespace lockstep {

/// Reads what stands behind `exec`: options, NAME unless there was a --lock, and the command.
///
/// @param argc, argv  as main has them, behind `exec`; `options` keeps pointers into them
/// @param help        set if help is asked for; `options` is of no use then
/// @return what is wrong, or ""
std::string parse_exec_arguments(int argc, char** argv, ExecOptions& options, bool& help);

}  // namespace lockstep
