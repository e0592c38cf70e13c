#pragma once
// `lockstep run` and `lockstep loop`.

#include "cli/arguments.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep {

int run_command(const InheritedSignals& inherited, RunArguments& arguments);

}  // namespace lockstep
