#pragma once
// What a line does under a lock that it makes by itself: which of it may be moved behind `lockstep exec`.

#include <span>

#include "convert/shell_words.hpp"

namespace lockstep {

/// Of `LOCK && BODY`: is some of the body done without the lock, too, as the ALERT of `LOCK && JOB || ALERT` is?
bool goes_on_without_lock(std::span<const ShellToken> body);

/// Is the body anything but one program with its words, or is one of these made only under the lock (`$(./take-batch)`,
/// `/spool/*`)?
bool needs_shell(std::span<const ShellToken> body);

}  // namespace lockstep
