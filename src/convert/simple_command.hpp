#pragma once
// A simple command among the tokens of a shell line: POSIX.1-2017, Shell Command Language, 2.9.1.

#include <span>
#include <string>
#include <vector>

#include "base/shell_words.hpp"

namespace lockstep {

struct SimpleCommand {
    std::size_t first = 0;  ///< index of its first token
    std::size_t last = 0;   ///< one past its last
    std::vector<ShellToken> words;
    std::vector<ShellToken> redirects;

    /// The name of the program, without its directory; "" if it cannot be told.
    std::string program() const;
};

/// The command that begins at token `first` and ends before the next operator.
SimpleCommand simple_command_at(std::span<const ShellToken> tokens, std::size_t first);

}  // namespace lockstep
