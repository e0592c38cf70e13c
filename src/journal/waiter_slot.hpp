#pragma once
// At most one run waits for a busy job (--coalesce): whoever comes while one waits may leave, for the waiter's pass has not
// begun yet and will see all that it could have seen.

#include <string>

#include "journal/pid_file_lock.hpp"

namespace lockstep {

/// The right to wait: the lock of `<job>.waiter` in the state directory.
/// Error: Failure::busy when another one waits, naming its pid; Failure::journal when the file cannot be had.
Result<PidFileLock> take_waiter_slot(const std::string& state_directory, const std::string& job);

}  // namespace lockstep
