#pragma once
// `lockstep init`: a job file to begin with.

#include "cli/arguments.hpp"

namespace lockstep {

int init_command(const InitArguments& arguments);

}  // namespace lockstep
