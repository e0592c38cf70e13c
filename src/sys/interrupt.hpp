#pragma once
// A flag that threads can wait for together with anything else that poll(2) knows.

#include <array>
#include <atomic>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// Starts unset; fire() sets it for good. The eventfd behind it is never read, so fd() stays readable for every thread
/// that polls it, now or later.
class Interrupt {
  public:
    /// Error: Failure::os when there is no descriptor left.
    static Result<Interrupt> create();
    /// One that has fired as soon as one of these two has, which must outlive it. It is not to be fired itself.
    /// Error: Failure::os when there is no descriptor left.
    static Result<Interrupt> either(const Interrupt& one, const Interrupt& other);

    Interrupt(Interrupt&& other) noexcept : fd_(std::move(other.fd_)), fired_(other.fired_.load()), sources_(other.sources_) {}

    void fire() noexcept;
    bool fired() const noexcept;
    /// Readable (POLLIN) once fired.
    int fd() const { return fd_.get(); }

    /// Sleeps until fired or until `deadline`.
    /// @return true if it has fired
    bool wait_until(MonotonicTime deadline) const;

  private:
    explicit Interrupt(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
    std::atomic<bool> fired_ = false;
    std::array<const Interrupt*, 2> sources_{};  ///< of either()
};

/// A bell that threads ring and one thread hears in poll(2), as often as it likes.
class Bell {
  public:
    /// Error: Failure::os when there is no descriptor left.
    static Result<Bell> create();

    /// Rings it, unless it rings already.
    void ring() noexcept;
    /// Silences it, before looking at what it was rung for.
    void silence() noexcept;
    /// Readable (POLLIN) while it rings.
    int fd() const { return fd_.get(); }

    Bell(Bell&& other) noexcept : fd_(std::move(other.fd_)), rings_(other.rings_.load()) {}

  private:
    explicit Bell(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
    std::atomic<bool> rings_ = false;
};

}  // namespace lockstep
