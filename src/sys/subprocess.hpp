#pragma once
// Starting a child process and waiting for it without signals, timers or races of pid reuse.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// The files that execvp(3) tries for a program's name, in order: with a slash in it, the name itself.
/// @param path  as the value of PATH has its directories
std::vector<std::string> program_candidates(const std::string& name, std::string_view path);

struct SpawnRequest {
    std::vector<std::string> argv;                        ///< argv[0] is looked up in the child's PATH when it holds no slash
    std::optional<std::vector<std::string>> environment;  ///< NAME=VALUE; nullopt: ours
    std::string cwd;                                      ///< empty: ours
    int stdin_fd = -1;  ///< -1: inherited (the same for the next two); any other becomes the child's 0
    int stdout_fd = -1;
    int stderr_fd = -1;
    std::vector<int> kept_fds;  ///< close-on-exec descriptors (above 2) that the child keeps under their own number
    bool shield = false;        ///< ignore TERM, INT, HUP and QUIT in the child (SIG_IGN is inherited by exec)
    /// Called first thing in the child, which shares our memory: system calls and atomics only. If we are dead when it returns,
    /// the child ends without having begun; so nobody has to wait for a child that was not told of here.
    void (*on_begin)(void* context, pid_t child) = nullptr;
    void* context = nullptr;
};

/// How a child ended, from waitpid(2).
struct WaitStatus {
    int exit_status = 0;  ///< meaningful if signal is 0
    int signal = 0;       ///< the signal that ended it, or 0

    /// As a shell reports it: the exit status, or 128 + signal.
    int shell_status() const { return signal != 0 ? 128 + signal : exit_status; }
};

/// A running child, leader of a process group of its own. All its signals are unblocked and at their default (or ignored:
/// `shield`). The destructor does not wait and does not kill: whoever starts a command decides what becomes of it.
class [[nodiscard]] Subprocess {
  public:
    /// Starts `argv` in a process group of its own; when this returns, exec has succeeded and the group exists. Any thread may
    /// call it. A name without a slash is looked up in the PATH of its own environment, as `PATH=… name` in a shell, a relative
    /// path is relative to `cwd`. Error: Failure::os with errno_value ENOENT (not found), EACCES, ENOEXEC, … naming argv[0] (or
    /// cwd); nothing runs then. Source: clone(2); why not posix_spawn(3): see subprocess.cpp.
    static Result<Subprocess> spawn(const SpawnRequest& request);

    pid_t pid() const { return pid_; }
    /// Readable (POLLIN) when the child has ended: pidfd_open(2).
    int pidfd() const { return pidfd_.get(); }

    /// Whether it has ended, without collecting the status: until then its pid, and so its group's number, belong to nobody
    /// else.
    bool has_ended() const;
    /// Collects the status if the child has ended, without waiting. A status that somebody else collected reads as 255.
    /// @return true once it has ended; `status` is valid then
    bool try_wait(WaitStatus& status);
    /// Waits for the end.
    WaitStatus wait();

    /// Sends `signal` to the child's process group; an empty or foreign group is not an error.
    void signal_group(int signal) const;
    /// State letter of /proc/PID/stat ('T' stopped, 'Z' zombie, …), or 0 if it is gone.
    char state() const;
    /// The signal (SIGSTOP, SIGTTIN, …) that has stopped it since this was last asked, or 0.
    int newly_stopped_by();

  private:
    Subprocess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

    pid_t pid_ = -1;
    UniqueFd pidfd_;
    bool ended_ = false;
    WaitStatus status_;
};

}  // namespace lockstep
