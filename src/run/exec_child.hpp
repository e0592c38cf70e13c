#pragma once
// What becomes of a process between vfork(2) and execve(2) when it is to be the command of `exec`.

#include <span>

#include "run/command_table.hpp"
#include "sys/stop_signals.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// What is to be the command's stdin, or nothing if ours is. A terminal belongs to the front's session: a command that reads
/// from it would stop, or take what is typed for the shell.
struct CommandInput {
    UniqueFd fd;
    int error = 0;  ///< an errno: there is a terminal, and nothing that could take its place
};
CommandInput input_for_command();

/// In the child, first: it stands in the front's table before it runs, for the guardian may be killed at any moment; then the
/// front waits for this command, or it does not begin.
void begin_command(pid_t guardian, CommandTable& commands);

/// In the child, last. SIGCHLD and the stop signals still have the actions that we were started with: only the mask was
/// changed.
///
/// @param input    from input_for_command(), or -1
/// @param records  stay open in the command, which marks them: see mark_record()
/// @return 0, or an errno
int set_up_command(int input, std::span<const int> records, const InheritedSignals& inherited);

}  // namespace lockstep
