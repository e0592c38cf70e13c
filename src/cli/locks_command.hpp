#pragma once
// `lockstep locks`.

#include "cli/arguments.hpp"

namespace lockstep {

int locks_command(const LocksArguments& arguments);

}  // namespace lockstep
