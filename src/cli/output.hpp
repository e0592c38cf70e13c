#pragma once
// What a command says, and the exit status that belongs to it.

#include <string>

#include "base/error.hpp"

namespace lockstep {

/// Says it on stderr. @return the exit status that belongs to it
int report_error(const Error& error);

/// To stdout. @return `status`, or 74 where stdout cannot be written, which is said on stderr and must not look like success.
/// A reader that has left early (`| head`) ends us by SIGPIPE, as it ends any program that prints, unless that is ignored.
int print(const std::string& text, int status);

/// The same for what tells of something that is done and stays done: where stdout cannot take it stderr gets it.
int print_done(const std::string& text, int status);

}  // namespace lockstep
