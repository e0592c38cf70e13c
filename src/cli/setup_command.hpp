#pragma once
// `lockstep setup`: the entry that makes a supervisor run a job and wait long enough when it stops it.

#include "cli/arguments.hpp"

namespace lockstep {

int setup_command(const SetupArguments& arguments);

}  // namespace lockstep
