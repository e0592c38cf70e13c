#pragma once
// `lockstep exec`: any command under a lock. This path is parsed by hand and allocates little, for its start-up time is
// what people compare with flock(1).

#include "run/exec_options.hpp"
#include "run/exec_progress.hpp"
#include "run/guardian_link.hpp"

namespace lockstep {

/// Takes the locks, runs the command with everything that we inherited (descriptors, environment, signals, umask), but a
/// terminal's stdin becomes /dev/null; defers a stop up to `grace`, then forwards TERM once; ends the command at its `limit`;
/// gives the locks back when it has ended.
///
/// @param progress  what has been done of it in this process
/// @return the exit status: the command's own, 128 + n, 124, 126/127, busy_status, 73, 75
int exec_under_locks(const ExecOptions& options, GuardianLink& link, const ExecProgress& progress = {});

}  // namespace lockstep
