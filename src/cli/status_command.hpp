#pragma once
// `lockstep status`.

#include "cli/arguments.hpp"

namespace lockstep {

int status_command(const StatusArguments& arguments);

}  // namespace lockstep
