#include "lock/left_behind.hpp"

#include "base/text.hpp"
#include "lock/directory_lock.hpp"

namespace lockstep {

Result<void> remove_left_behind(const std::string& path, const LockRecord& left, const std::string& run_id) {
    const auto place = LockPath::open(path);
    if (!place) return std::unexpected(place.error());
    LockRecord mine;
    mine.run_id = run_id;
    mine.job = left.job;
    mine.journal = left.journal;  // or it would not let us take over
    mine.command = "lockstep unlock";
    LockWait at_once;
    at_once.may_adopt = [&](const LockRecord& found) -> Result<void> {
        if (found.run_id == left.run_id) return {};
        return fail(Failure::busy,
                    printable(path, 4096) + ": run " + printable(found.run_id) + " has left it behind meanwhile");
    };
    auto lock = DirectoryLock::acquire(*place, mine, at_once);
    if (!lock) return std::unexpected(std::move(lock.error()));
    return lock->release();
}

}  // namespace lockstep
