#pragma once
// Where a guardian hears that it is to stop: from the kernel itself, or from its front.

#include <optional>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "run/guardian_link.hpp"
#include "sys/stop_signals.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

class StopRequests {
  public:
    /// `link` must outlive it. @param with_children  SIGCHLD is to wake whoever polls; it is no request.
    /// Error: Failure::os, no descriptor.
    static Result<StopRequests> open(const GuardianLink& link, bool with_children);

    /// The next one, or nullopt if none is waiting. The death of the front is one, and is told once.
    std::optional<StopRequest> next();

    /// To be polled for POLLIN: one of these two is readable when there may be a request. -1: the front is dead.
    int from_kernel() const { return signals_.get(); }
    int from_front() const { return front_is_dead_ ? -1 : front_; }

  private:
    StopRequests(UniqueFd signals, int front) : signals_(std::move(signals)), front_(front) {}

    UniqueFd signals_;
    int front_;
    bool front_is_dead_ = false;
};

/// Ten thousand signals are no reason for ten thousand lines.
class RepeatedLine {
  public:
    /// The line may be said now; the next not before a fifth of a second is over.
    bool is_due();

  private:
    std::optional<MonotonicTime> said_at_;
};

}  // namespace lockstep
