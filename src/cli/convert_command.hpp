#pragma once
// `lockstep convert`: prints crontab lines with `lockstep exec` in place of other locks.

#include "cli/arguments.hpp"

namespace lockstep {

int convert_command(const ConvertArguments& arguments);

}  // namespace lockstep
