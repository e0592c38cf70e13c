#include "journal/run_lock.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace lockstep {

Result<PidFileLock> take_run_lock(const std::string& path) {
    // A killed run's descriptors are closed one by one, the lock directory's perhaps well before this one's.
    constexpr Millis kPatience{500};
    auto lock = PidFileLock::take(std::filesystem::path(path).replace_extension(".run").native(), kPatience, ::getpid());
    if (lock || lock.error().failure != Failure::busy) return lock;
    return fail(Failure::busy, fmt::format("journal {} is in use by {}: another run of this job, perhaps under another lock",
                                           path, lock.error().text));
}

}  // namespace lockstep
