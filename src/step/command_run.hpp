#pragma once
// One command from its start to its end: its output tailed, its time limited, its surroundings told.

#include <string>

#include "step/prepared.hpp"
#include "step/workbench.hpp"

namespace lockstep {

/// The most of a command's stdout that is kept for $stdout; all of it is passed on as it comes.
inline constexpr std::size_t kMostStdoutKept = std::size_t{16} << 20U;

struct CommandEnd {
    enum class Kind {
        not_started,  ///< nothing ran; `text` says why
        ended,        ///< by itself
        timed_out,    ///< we ended it: its time was up
        cut,          ///< we ended it: the interrupt fired
    };
    Kind kind = Kind::not_started;
    WaitStatus status;
    std::string out;  ///< its stdout, as far as it is kept
    bool out_was_longer = false;
    std::string err;  ///< the end of its stderr
    bool err_was_longer = false;
    std::string text;
};

struct CommandLimits {
    Millis timeout{0};
    const Interrupt* cut = nullptr;  ///< nullptr: nothing cuts it
    bool pass_stdout = true;         ///< false: stdout is for us alone
    std::size_t keep_stdout = kMostStdoutKept;
    bool shield = false;  ///< TERM is ignored in it, so a cut is KILL at once
};

/// Runs a command in a process group of its own, with our environment (without NOTIFY_SOCKET: only the front talks to systemd)
/// and what `command` adds. A cut or the time-out is TERM to the group, 5 s, KILL. A process that a finished command leaves
/// behind delays nothing; one that a cut command leaves behind is killed with it.
CommandEnd run_command(const PreparedCommand& command, const CommandLimits& limits, CommandHost& host);

}  // namespace lockstep
