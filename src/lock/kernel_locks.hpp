#pragma once
// What /proc/locks tells of a directory's flock(2): a hint for people who look, never a reason to take or break a lock.

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace lockstep {

/// The locks of one inode. A flock is listed under the process that took it, dead or alive, and only where that one has a pid
/// in this pid namespace; a waiter's mark (hand_over.hpp) has no pid and is listed everywhere.
struct KernelLocks {
    std::vector<pid_t> holders;
    bool shared = false;         ///< its holders hold it together
    std::vector<pid_t> waiters;  ///< those asleep in flock(2)
    std::size_t marks = 0;       ///< those who wait by the protocol of this program
};

/// One reading of /proc/locks; empty if it cannot be read.
class KernelLockTable {
  public:
    KernelLockTable();
    explicit KernelLockTable(std::string text) : text_(std::move(text)) {}

    KernelLocks of(const struct stat& info) const;

  private:
    std::string text_;
};

}  // namespace lockstep
