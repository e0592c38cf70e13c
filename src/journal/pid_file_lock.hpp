#pragma once
// A file whose flock(2) is a right that one process has at a time, with the pid of who has it inside, for people.

#include <sys/types.h>

#include <string>

#include "base/duration.hpp"
#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// Given back by the kernel when the process ends, however it ends. The file is never unlinked: whoever has it open already
/// would lock an inode that no path leads to, beside a third process that creates it anew.
class [[nodiscard]] PidFileLock {
  public:
    /// @param patience  how long a holder is waited for
    /// @param pid       what others are told of us; that it cannot be written fails nothing
    /// Errors: Failure::busy, whose text is just who has it: "pid 812", or "another process"; Failure::journal when the file
    /// cannot be had: see open_own_file().
    static Result<PidFileLock> take(const std::string& path, Millis patience, pid_t pid);

    PidFileLock(PidFileLock&&) noexcept = default;
    PidFileLock& operator=(PidFileLock&&) noexcept = default;
    ~PidFileLock();

  private:
    explicit PidFileLock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace lockstep
