#pragma once
// `lockstep exec`: any command under a lock. This path is parsed by hand and allocates little, for its start-up time is
// what people compare with flock(1).

#include <optional>
#include <string>

#include "base/duration.hpp"
#include "run/front.hpp"

namespace lockstep {

struct ExecOptions {
    const char* lock = nullptr;  ///< NAME or PATH
    char** argv = nullptr;       ///< the command, null-terminated
    bool wait_forever = false;
    Millis wait{0};
    std::optional<Millis> grace = Millis{30'000};  ///< nullopt: for ever
    int busy_status = 75;
    bool quiet = false;
};

/// Takes the lock, runs the command with everything that we inherited (descriptors, environment, signals, umask), but a
/// terminal's stdin becomes /dev/null; defers a stop up to `grace`, then forwards TERM once; gives the lock back when the
/// command has ended.
/// @return the exit status: the command's own, 128 + n, 126/127, busy_status, 73, 75
int exec_under_lock(const ExecOptions& options, GuardianLink& link);

}  // namespace lockstep
