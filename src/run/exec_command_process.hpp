#pragma once
// The command of `lockstep exec`, as a child of the guardian.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "run/guardian_link.hpp"

namespace lockstep {

/// A wait status as an exit status: the command's own, or 128 + n.
int exit_status_of_command(int wait_status);

class ExecCommandProcess {
  public:
    /// Starts `argv` (argv[0] is looked up in PATH) as the leader of a process group of its own, with the streams, the
    /// environment and the signals that we inherited, and with the terminal of `link` if that is our job's. It stands in the
    /// front's table before it runs.
    ///
    /// @param input, records  as set_up_command() takes them
    /// @return 0, or the errno of what went wrong; nothing runs then
    int start(char* const* argv, int input, const std::vector<int>& records, const GuardianLink& link);

    /// One that this process has started already.
    void go_on_with(pid_t pid, char* const* argv);

    /// Something that waitpid(2) tells without waiting.
    struct Change {
        bool ended = false;
        int stopped_by = 0;   ///< a signal, if it was stopped
        int status = 0;       ///< if it has ended: its exit status, or 128 + n
        bool killed = false;  ///< by signal n
    };
    std::optional<Change> change() const;

    pid_t pid() const { return pid_; }
    void signal_group(int signal) const;
    /// "sleep (pid 813)"
    const std::string& text() const { return text_; }

  private:
    pid_t pid_ = -1;
    std::string text_;
};

}  // namespace lockstep
