#pragma once
// What front and guardian of the plain road share.

#include <atomic>

#include "lock/own_identity.hpp"
#include "run/command_table.hpp"

namespace lockstep::start {

/// Found out by the front, which has nothing to do while the guardian begins; a processor that has nothing to do either
/// takes that much off the start.
class SharedPidScope {
  public:
    /// The front.
    void find_out() {
        scope_ = own_pid_scope();
        known_.store(true, std::memory_order_release);
    }
    /// The guardian: nullptr if it is not there yet.
    const PidScope* get() const { return known_.load(std::memory_order_acquire) ? &scope_ : nullptr; }

  private:
    std::atomic<bool> known_ = false;
    PidScope scope_;
};

struct SharedMemory {
    CommandTable commands;
    SharedPidScope scope;
};

}  // namespace lockstep::start
