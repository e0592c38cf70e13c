#pragma once
// stdin, stdout and stderr as a program that prints finds and leaves them.

#include <string_view>

#include "base/error.hpp"

namespace lockstep {

/// Puts something in the place of a standard stream that was closed at the start, so that no file, socket or journal of ours
/// gets its number, and with it what is meant for the stream. Reads and writes fail as before (EBADF), and it is closed in
/// whatever is executed.
void occupy_closed_streams();

/// All of `text` to stdout; waits where it is a pipe, a terminal or nonblocking. Error: Failure::output, what became of it.
Result<void> write_to_stdout(std::string_view text);

}  // namespace lockstep
