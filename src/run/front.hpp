#pragma once
// The process that the supervisor sees. It does no work: it forks the guardian, passes stop requests on to it, reaps,
// and exits as the guardian exits.

#include <sys/types.h>

#include <string_view>

#include "run/command_table.hpp"
#include "run/guardian_link.hpp"
#include "run/job_terminal.hpp"
#include "sys/stop_signals.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// Who hears, in the front, what the guardian has to tell the world outside.
class FrontListener {
  public:
    virtual ~FrontListener() = default;
    virtual void told(const char* text) = 0;
};

/// How the front says what only it knows: that its guardian was killed, or could not be started.
class FrontVoice {
  public:
    virtual ~FrontVoice() = default;
    virtual void say(std::string_view line) = 0;
};

/// What a front has to do beside waiting.
struct FrontDuties {
    FrontVoice* voice = nullptr;        ///< unset: "lockstep: NAME: …" on stderr
    FrontListener* listener = nullptr;  ///< is told what GuardianLink::tell sends
    /// Then the guardian leads a process group instead of a session, so that its command can be given the terminal; the front
    /// stops and continues with the guardian, and ends by SIGINT where the command did (status 130).
    JobTerminal* terminal = nullptr;
};

/// Forks the guardian (before any thread exists), which leads a session of its own and calls `guardian`; its return value is
/// the exit status of both. Returns in the front only, after everything is over.
///
/// Exit status: the guardian's; 70 when the guardian was killed (after the commands that it ran have ended). After a Ctrl-C
/// with a result of 0 or 75 this does not return: the process ends by SIGINT, which alone stops a shell's loop around it (as
/// pid 1, for which the kernel drops that signal, it exits 130).
///
/// @param name  what messages begin with: "lockstep: NAME: …"
int run_in_guardian(const InheritedSignals& inherited, const char* name, int (*guardian)(GuardianLink& link, void* context),
                    void* context, const FrontDuties& duties = {});

/// The front's part of it, for a guardian that was started already.
int wait_for_guardian(const InheritedSignals& inherited, const char* name, UniqueFd socket, CommandTable& commands,
                      pid_t guardian, const FrontDuties& duties = {});

}  // namespace lockstep
