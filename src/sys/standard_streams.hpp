#pragma once
// stdin, stdout and stderr as a program that prints finds and leaves them.

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>
#include <string_view>

#include "base/error.hpp"

namespace lockstep {

/// Puts something in the place of a standard stream that was closed at the start, so that no file, socket or journal of ours
/// gets its number, and with it what is meant for the stream. Reads and writes fail as before (EBADF), and it is closed in
/// whatever is executed.
///
/// Here, since `exec` calls it before the C library starts, too (the room start).
inline void occupy_closed_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) >= 0) continue;
        // The lowest free number is this one, for those below it are open by now. Open for the direction that nobody uses it
        // in.
        (void)::openat(AT_FDCWD, "/dev/null", (stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    }
}

/// All of `text` to stdout; waits where it is a pipe, a terminal or nonblocking. Error: Failure::output, what became of it.
Result<void> write_to_stdout(std::string_view text);

}  // namespace lockstep
