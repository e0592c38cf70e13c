#pragma once
// The command line of `lockstep exec`, read by hand: building CLI11's objects costs as much as taking the lock.

#include <span>
#include <string>
#include <string_view>

#include "run/exec_options.hpp"

namespace lockstep {

struct ExecOption {
    std::string_view name;
    char letter;          ///< '\0': none
    const char* value;    ///< what stands behind it, for people; nullptr: nothing
    const char* section;  ///< of the help
    const char* help;
    /// Sets it; the value of one that takes none is nullptr. Returns what is wrong with the value, or "".
    std::string (*set)(ExecOptions& options, const char* value);
};

/// All but --help.
std::span<const ExecOption> exec_options();

/// Reads what stands behind `exec`: options, NAME unless there was a --lock, and the command.
///
/// @param argc, argv  as main has them, behind `exec`; `options` keeps pointers into them
/// @param help        set if help is asked for; `options` is of no use then
/// @return what is wrong, or ""
std::string parse_exec_arguments(int argc, char** argv, ExecOptions& options, bool& help);

}  // namespace lockstep
