#pragma once
// `exec --interactive`: the controlling terminal, which passes from the shell's job that we are to the command and back.
//
// Three process groups of one session: the job (the front, and whatever else the shell put into its pipeline), the guardian
// alone, and the command. Whichever is in the foreground may read from the terminal, and gets what is typed as signals (Ctrl-C,
// Ctrl-Z).
//
//   the command stops   the guardian takes the terminal back and stops as well (SIGTSTP; SIGTTIN and SIGTTOU: the same);
//                       its parent, the front, sees that and stops the whole job, and the shell sees that
//   fg, bg              the shell continues the job (SIGCONT), the front the guardian, and the guardian the command,
//                       which gets the terminal if the shell has given it to the job
//
// No shell there, or one without job control: nobody could let the job go on, and the kernel does not stop it (POSIX: an
// orphaned process group). Then the command goes on, too; if it wanted to read in the background it gets SIGHUP, as the
// kernel's rule is.
//
// Source: termios(3), setpgid(2), tcsetpgrp(3), credentials(7); glibc's manual, "Job Control".

#include <sys/types.h>
#include <termios.h>

#include <optional>

#include "sys/unique_fd.hpp"

namespace lockstep {

class JobTerminal {
  public:
    /// To be called by the front before it forks: its process group is the job. Without a controlling terminal there is nothing
    /// to give, and nothing happens in any call.
    JobTerminal();

    bool exists() const { return static_cast<bool>(fd_); }
    /// Has the shell given the terminal to our job, so that we may pass it on?
    bool is_ours() const;

    /// Gives the terminal to the process group, with the modes that it had set when it was last taken from it; SIGTTOU must be
    /// blocked.
    void give(pid_t group);
    /// The same in a child that vfork(2) has made, for its own group: one system call.
    void take_in_child() const;

    enum class Modes {
        keep,      ///< as the command leaves them: it has ended as it wanted to
        restore,   ///< as they were: it had no chance to set them right
        exchange,  ///< the same, and the command gets its own back by give()
    };
    /// Back to the job, if `group` or a group that is gone has it, so that nothing is taken from the shell.
    void take_back(pid_t group, Modes modes);

  private:
    UniqueFd fd_;
    pid_t job_;
    std::optional<termios> jobs_modes_;
    std::optional<termios> commands_modes_;
};

/// "The shell has continued our job", as a descriptor: apart from the other signals, for it ends no wait for a lock.
class ContinuedSignal {
  public:
    void open();
    int fd() const { return fd_ ? fd_.get() : -1; }  ///< -1 (which poll(2) passes over) until it is opened
    bool take() const;

  private:
    UniqueFd fd_;
};

/// Blocks the signals of job control, which the front and the guardian read and pass on instead of acting on them.
void block_job_control_signals();

/// Stops the caller's process group by `signal` (SIGTSTP, SIGTTIN or SIGTTOU), as a terminal does; returns when it goes on. The
/// signals of job control must be blocked.
/// @return false if it did not stop: the signal is ignored, or there is no shell that could continue it
bool stop_group(int signal);

}  // namespace lockstep
