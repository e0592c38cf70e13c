#pragma once
// What the commands of a line run, and what tells of a lock in it.

#include <span>
#include <string>
#include <string_view>

#include "base/shell_words.hpp"

namespace lockstep {

/// The program that a simple command runs: behind assignments, and behind programs that only run another.
struct FoundProgram {
    std::size_t token = 0;
    std::string program;
    bool behind_timeout = false;
    std::string timeout_signal = "TERM";  ///< what timeout(1) sends
};

/// @param first, last  the command's tokens
FoundProgram find_program(std::span<const ShellToken> tokens, std::size_t first, std::size_t last);

/// The name of the program that a word names, without its directory; "" if it cannot be told.
std::string program_of(const ShellToken& word);

/// Words that tell of a lock, wherever they stand: such a line is not passed over in silence.
bool speaks_of_locks(std::string_view command);

/// A line of /etc/crontab, read as one of a user's: its "command" is a plain word in front of one that takes a lock.
bool has_user_in_front(std::span<const ShellToken> tokens);

/// Does anything look at the exit status of the command that ends at `last`?
bool is_status_used(std::span<const ShellToken> tokens, std::size_t first, std::size_t last);

/// Words in front of a program which give it another $SHELL.
bool sets_shell(std::span<const ShellToken> words);

}  // namespace lockstep
