#pragma once
// `lockstep locks`: every lock that can be found, and what can be known of each. Takes none.

#include <string>
#include <vector>

#include "base/json.hpp"
#include "lock/lock_view.hpp"

namespace lockstep {

struct LockSearch {
    std::vector<std::string> roots;              ///< directories that locks lie in
    std::vector<std::string> state_directories;  ///< of jobs whose locks may lie elsewhere; a missing one holds none
};

struct FoundLocks {
    std::vector<LockView> locks;  ///< sorted by path, each once
    std::vector<Error> problems;  ///< what could not be looked into: Failure::lock a root, Failure::journal a journal,
                                  ///< Failure::os no descriptor is left
};

FoundLocks find_locks(const LockSearch& search);

/// A table with a line of headings, and below a lock's line what else there is to say, such as the command that removes it.
/// @param width  columns of the terminal, 0: as wide as it comes
std::string locks_text(const std::vector<LockView>& locks, std::size_t width);

/// The keys are those of the manual; they stay.
Json lock_json(const LockView& lock);

/// "2 wait: pid 901, 902", or "".
std::string waiters_text(const LockView& lock);

/// The exact command that removes a lock that was left behind; of another user: for root, who cannot do it as such.
std::string unlock_command_line(const LockView& lock);

/// How to remove a lock that no command of this program removes: one that a script's mkdir made, or that has no record. "":
/// there is another way, or it is not ours to remove.
std::string removal_advice(const LockView& lock);

}  // namespace lockstep
