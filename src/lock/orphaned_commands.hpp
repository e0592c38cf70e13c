#pragma once
// The files in a lock directory that a command has inherited: its run's record, or where a run has several commands, `c.<n>`.
// Each is under flock as long as the command is at work: where it is locked although the guardian is dead, an orphan is.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

struct OrphanedCommand {
    UniqueFd file;       ///< to wait for in flock(2)
    std::string holder;  ///< "pid 913, a command that a killed run left at work"
};

/// The first command that still holds its mark. If there is none, `file` is empty, and every `c.<n>` that was there is
/// unlinked, and the `r.<run id>` of every killed reader; anything else in the directory is left alone, the record, too. Call
/// it under the directory's exclusive flock.
Result<OrphanedCommand> clear_command_marks(int directory_fd);

/// The same for people who only look, without a lock: by its pid, which a later process may have by now; of a command that has
/// ended, by what it left running under its mark, as far as /proc shows that to us. `pid` is 0 if there is none.
struct CommandAtWork {
    pid_t pid = 0;
    std::string text;
};
/// Of a run that is dead: readers that live, or of whom that cannot be said, are passed over.
CommandAtWork find_command_at_work(int directory_fd);
/// Of this reader, of whom it is known that it is dead.
CommandAtWork find_command_of_reader(int directory_fd, std::string_view run_id);

/// The names in it, sorted. Reads through the caller's own descriptor, and so moves its offset: a few short entries, which
/// opendir(3) would pay for with five more system calls.
Result<std::vector<std::string>> directory_entries(int directory_fd);

/// What is in the directory but a record, for the message that it cannot be removed: "notes.txt, core".
std::string list_contents(int directory_fd);

}  // namespace lockstep
