#include "journal/waiter_slot.hpp"

#include <unistd.h>

#include "journal/sqlite_journal.hpp"
#include "journal/state_directory.hpp"

namespace lockstep {

Result<PidFileLock> take_waiter_slot(const std::string& state_directory, const std::string& job) {
    const auto directory = state_directory.empty() ? default_state_directory() : Result<std::string>(state_directory);
    if (!directory) return std::unexpected(directory.error());
    if (auto made = prepare_state_directory(*directory); !made) return std::unexpected(made.error());
    auto slot = PidFileLock::take(*directory + "/" + job + ".waiter", Millis{0}, ::getppid());
    if (slot || slot.error().failure != Failure::busy) return slot;
    return fail(Failure::busy, "busy: " + slot.error().text + " waits for it already, and its pass will do for this one, too");
}

}  // namespace lockstep
