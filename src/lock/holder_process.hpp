#pragma once
// The process that holds a lock, as one that can be told to stop and waited for.

#include <csignal>
#include <optional>

#include "base/duration.hpp"
#include "lock/lock_record.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// By pidfd_open(2): what is signalled and waited for is the very process that wrote the record, never a later one with its
/// pid.
class HolderProcess {
  public:
    /// Errors (Failure::busy): it lives in another boot or pid namespace, where its pid means nothing to us, or is dead.
    static Result<HolderProcess> open(const LockRecord& record);

    /// SIGTERM to the front, or to the guardian if the front is dead. Error: Failure::lock, we may not signal it.
    Result<void> ask_to_stop() const;

    /// Waits until the guardian, which holds the lock, has ended.
    /// @param mask  the signals that are blocked meanwhile
    /// @return false when `limit` (nullopt: none) is over first
    bool wait_for_end(std::optional<Millis> limit, const sigset_t& mask) const;

    /// The pid that ask_to_stop() signals.
    pid_t pid() const { return pid_; }

  private:
    HolderProcess() = default;
    pid_t pid_ = 0;
    UniqueFd told_;      // who is told
    UniqueFd guardian_;  // whose end is waited for
};

}  // namespace lockstep
