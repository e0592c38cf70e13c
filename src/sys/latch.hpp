#pragma once
// A value that is set once, and that threads can wait for.

#include <atomic>
#include <climits>

namespace lockstep {

/// futex(2) and nothing before it: std::atomic::wait() gives the processor away several times before it sleeps, which costs
/// more than the sleep where there are more threads than processors.
class Latch {
  public:
    /// Sets it, to anything above zero, and wakes everybody who waits.
    void set(int value) noexcept;
    /// Sleeps until it is set. @return what it was set to
    int wait() const noexcept;

  private:
    static constexpr int kAwaited = INT_MIN;  // not set, and somebody sleeps: only then does set() cost a system call

    mutable std::atomic<int> value_ = 0;
    static_assert(sizeof(std::atomic<int>) == sizeof(int), "futex(2) looks at an int");
};

}  // namespace lockstep
