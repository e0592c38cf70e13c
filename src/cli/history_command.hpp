#pragma once
// `lockstep history`.

#include "cli/arguments.hpp"

namespace lockstep {

int history_command(const HistoryArguments& arguments);

}  // namespace lockstep
