#pragma once
// A script as `sh -c` is given it, cut into its simple commands: as much of the grammar as tells which of them takes the
// shell's place by `exec`, and which is the shell's child whatever it says (POSIX.1-2017, Shell Command Language, 2.9).

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct ShellCommand {
    std::vector<std::string> words;  ///< its program and arguments without their quotes; nothing is expanded
    bool exec = false;               ///< `exec` stands before them
    bool child = false;              ///< it is in a pipeline, in ( ), or in the background
    bool reads_pipe = false;         ///< `|` stands directly before it
    bool feeds_pipe = false;         ///< or behind it

    // As they are written: each assignment with a blank behind it, the others with one before.
    std::string assignments;
    std::string program;       ///< the words
    std::string redirections;  ///< 2>&1 for a |&, too

    // Its place in the script.
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// In their order, those in ( ), { }, conditions and loops among them. What is no script is cut as far as it can be read.
std::vector<ShellCommand> shell_commands(std::string_view script);

}  // namespace lockstep
