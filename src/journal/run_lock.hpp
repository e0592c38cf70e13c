#pragma once
// At most one process has a job's journal open to write it, whatever locks the runs of that job are under.

#include <string>

#include "journal/pid_file_lock.hpp"

namespace lockstep {

/// The right to the journal at `path`: the lock of `<job>.run` beside it.
/// Error: Failure::busy naming the pid that has it; Failure::journal when the file cannot be had.
Result<PidFileLock> take_run_lock(const std::string& path);

}  // namespace lockstep
