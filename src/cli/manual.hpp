#pragma once
// All commands and their options, as data: what --help says, the manual page and the shells' completions say alike.

#include <string>
#include <vector>

namespace lockstep {

struct OptionManual {
    std::vector<std::string> names;  ///< "-w", "--wait"; a positional argument: none
    std::string value;  ///< "D|forever"; a flag: ""; words between '|' that are all lower case are to be taken literally
    std::string help;
    bool required = false;

    bool is_positional() const { return names.empty(); }
    bool is_repeated() const;
    /// The words that can stand there, or none if anything can.
    std::vector<std::string> words() const;
    /// Is it a file's, a directory's or a lock's name? A lock may be told by its path, too.
    bool is_lock() const;
    bool is_file() const;
    bool is_directory() const;
};

struct CommandManual {
    std::string name;
    std::string description;
    std::string footer;  ///< lines
    std::vector<OptionManual> options;
    bool runs_a_command = false;  ///< behind "--" stands another program's command line
};

struct Manual {
    std::string version;
    std::string description;
    std::vector<CommandManual> commands;
};

enum class Shell { bash, zsh, fish };

/// lockstep(1), in the man(7) macros.
std::string man_page(const Manual& manual);
/// lockstep-job(5): the job file.
std::string job_page(const std::string& version);
/// A script that the shell loads: it knows every command, option and literal value.
std::string completion_script(const Manual& manual, Shell shell);

}  // namespace lockstep
