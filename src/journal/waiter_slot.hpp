#pragma once
// At most one run waits for a busy job (--coalesce): whoever comes while one waits may leave, for the waiter's pass has not
// begun yet and will see all that it could have seen.

#include <string>

#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// The right to wait: flock(2) on `<job>.waiter` in the state directory, given back by the kernel whenever the process ends.
class [[nodiscard]] WaiterSlot {
  public:
    /// Error: Failure::busy when another one waits, naming its pid; Failure::journal when the file cannot be had.
    static Result<WaiterSlot> take(const std::string& state_directory, const std::string& job);

    WaiterSlot(WaiterSlot&&) noexcept = default;
    WaiterSlot& operator=(WaiterSlot&&) noexcept = default;

  private:
    explicit WaiterSlot(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace lockstep
