#pragma once
// What a line does under a lock that it makes by itself: which of it may be moved behind `lockstep exec`.

#include <optional>
#include <span>
#include <string_view>

#include "base/shell_words.hpp"

namespace lockstep {

/// Of `LOCK && BODY`: is some of the body done without the lock, too, as the ALERT of `LOCK && JOB || ALERT` is?
bool goes_on_without_lock(std::span<const ShellToken> body);

/// Is the body anything but one program with its words, or is one of these made only under the lock (`$(./take-batch)`,
/// `/spool/*`)?
bool needs_shell(std::span<const ShellToken> body);

/// Of the commands that stand before such a line's lock, the first that may leave something in the line's own shell which a new
/// one would not know: a variable, a function, an option, a job. Harmless are programs that are named by a path, and a few
/// commands that change nothing, or only what every child is given (`cd`, `umask`, `export`).
std::optional<std::string_view> kept_from_a_new_shell(std::span<const ShellToken> before);

/// Of the same commands, the first that may give a program's name another meaning in the line's own shell: a function, an
/// alias.
std::optional<std::string_view> names_of_its_own(std::span<const ShellToken> before);

}  // namespace lockstep
