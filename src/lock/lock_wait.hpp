#pragma once
// Waiting for a lock: in the kernel, on a thread that does nothing else, while the caller watches the clock and wake_fd.

#include <functional>

#include "base/clock.hpp"
#include "lock/directory_lock.hpp"

namespace lockstep {

enum class WaitEnd { changed, woken, timed_out };

/// How long the caller is willing to wait in all, from its first attempt on.
class Patience {
  public:
    explicit Patience(const LockWait& wait);

    /// `--wait 0`: short pauses between attempts, no thread, no inotify.
    bool only_retries() const { return only_retries_; }
    /// Sleeps until `fd` (-1: none) is readable, wake_fd is, `at_most` is over (then: changed) or patience is used up.
    WaitEnd sleep(int fd, Millis at_most) const;

  private:
    bool forever_;
    bool only_retries_;
    int wake_fd_;
    MonotonicTime deadline_;
};

/// What the waiting thread does when flock(2) has granted `fd`; under a mutex that the caller takes before it gives up.
/// @return true: done · false: `fd` is another descriptor now, wait for that one
using OnGranted = std::function<bool(UniqueFd& fd)>;

/// Waits in flock(2) for `fd` on a thread of its own. Blocked signals do not end flock(2), and a directed one can be lost
/// just before it: so the thread is not interrupted, but left behind, where it drops what it is granted later.
/// Errors: Failure::os, no thread or no descriptor.
Result<WaitEnd> wait_in_flock(UniqueFd fd, const Patience& patience, OnGranted on_granted);

/// Tells when names vanish from the parent directory, for locks that flock(2) knows nothing of.
class ParentWatch {
  public:
    /// Starts watching. Call it before the attempt whose failure is slept on, so that no removal is missed.
    void start(const LockPath& path);
    WaitEnd sleep(const Patience& patience);

  private:
    bool started_ = false;
    UniqueFd inotify_;
};

}  // namespace lockstep
