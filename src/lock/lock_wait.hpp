#pragma once
// Waiting for a lock: the caller sleeps in the kernel, while a thread watches the clock and wake_fd for it.

#include <memory>

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

/// Waits in flock(2), one after another, each with a thread that watches.
class FlockWait {
  public:
    FlockWait();
    FlockWait(const FlockWait&) = delete;
    FlockWait& operator=(const FlockWait&) = delete;
    ~FlockWait();

    /// Waits for `fd`, which the caller keeps; `operation` is LOCK_EX or LOCK_SH. After `changed` the flock is ours, unless
    /// patience is for retries only: that was but a pause. After another end it may have been granted all the same; nothing of
    /// ours waits for it any more in any case. Errors: Failure::os, no thread or no descriptor; Failure::lock, flock(2) failed.
    Result<WaitEnd> run(int fd, int operation, const Patience& patience);

    /// Sends the thread home, which takes longer than to take over a lock: so run() leaves it to its caller. Until then SIGURG
    /// may interrupt the calling thread's slow system calls.
    void finish();

  private:
    class Watch;
    class Interruptible;
    std::shared_ptr<Watch> watch_;
    std::unique_ptr<Interruptible> interruptible_;
};

/// Tells by inotify(7) of what flock(2) knows nothing of.
class DirectoryWatch {
  public:
    /// Starts watching `directory_fd` for `events`, unless it has been started. Call it before the look whose result is slept
    /// on, so that nothing is missed.
    void start(int directory_fd, std::uint32_t events);
    bool started() const { return started_; }
    /// Until something happens, at most for `at_most`: for what inotify does not see.
    WaitEnd sleep(const Patience& patience, Millis at_most);

  private:
    bool started_ = false;
    UniqueFd inotify_;
};

}  // namespace lockstep
