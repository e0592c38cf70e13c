#pragma once
// `lockstep check`, and how every command says what is wrong with a job file.

#include "cli/arguments.hpp"

namespace lockstep {

/// Of several files, a schema (*.schema.json) is passed over: editors want it beside the job files, where *.json finds it.
int check_command(CheckArguments arguments);

/// All findings on stderr, a line each. @return the exit status
int report_problems(const std::string& file, const JobFileProblems& problems, log::Format format = log::Format::text);

}  // namespace lockstep
