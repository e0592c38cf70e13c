#pragma once
// A holder that lives, but does nothing: it was stopped (SIGSTOP, Ctrl-Z), or a debugger holds it.

#include <sys/types.h>

#include <optional>
#include <string>

#include "lock/lock_record.hpp"

namespace lockstep {

/// Is the process stopped? nullopt: there is none, or its state cannot be read.
std::optional<bool> is_stopped(pid_t pid);
/// Is the guardian, the process that holds the lock? nullopt as well where its pid means nothing to us.
std::optional<bool> is_stopped(const LockRecord& record);

/// "pid 813 is stopped (as by SIGSTOP); kill -CONT 813 lets it go on", or "".
std::string describe_standstill(pid_t pid);
/// The same of its guardian: "its guardian (pid 813) is …". A front that is stopped as well is to be continued with it, for it
/// may be the one that continues the guardian (a Ctrl-Z).
std::string describe_standstill(const LockRecord& record);

}  // namespace lockstep
