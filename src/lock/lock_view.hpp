#pragma once
// Looking at locks without taking one: for `status`, `locks` and `unlock`. Records and /proc tell it, so that a look never
// makes anybody wait, and needs no right but to read.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "lock/kernel_locks.hpp"
#include "lock/lock_record.hpp"

namespace lockstep {

enum class LockState : std::uint8_t {
    free,         ///< there is no lock directory
    held,         ///< its holder is alive
    shared,       ///< readers hold it together
    waiting,      ///< nobody holds it, but somebody waits: it is changing hands, or the one whose turn it is was stopped
    left_behind,  ///< its holder is dead: the next run takes it over
    foreign,      ///< made by something else, such as a script's mkdir: it counts as held until it is removed
    unknown,      ///< another user's, another pid namespace's, unreadable, or changing hands at this moment
};
std::string_view to_string(LockState state);

struct LockView {
    LockState state = LockState::free;
    std::string path;                      ///< absolute, or as it was given if it cannot be made so
    std::optional<LockRecord> record;      ///< what the holder wrote, if it can be read; of a shared lock: the first reader's
    std::vector<LockRecord> readers;       ///< of a shared lock: those who live, or if all are dead: the dead
    std::vector<LockRecord> dead_readers;  ///< of a shared lock, beside those who live: the last of them clears up after these
    bool has_empty_record = false;         ///< it is there, but says nothing: it is being written, or was lost with the power
    std::string strange_files;             ///< where there is no record: names of what else is in it; for people
    bool is_taken_over = false;  ///< held, but the record is still that of a dead run, from which the holder takes over
    std::optional<bool>
        is_stopped;                ///< held or shared: its holder or a reader stands still, as the text tells; nullopt: unknown
    std::optional<Error> problem;  ///< why no lock of ours can lie there at all; the state is unknown or foreign
    std::string text;              ///< for people: "held by pid 812 since 03:00:01, order o17, second"
    pid_t pid = 0;                 ///< the one that people know of the holder: its front's as long as that lives; 0: unknown
    uid_t owner = 0;               ///< of the directory, if there is one
    std::int64_t changed_ms = 0;   ///< wall clock: when something was last made or removed in it
    KernelLocks kernel;
    std::string orphan;  ///< of a dead run: "pid 913, a command that a killed run left at work", as far as /proc knows it
    pid_t orphan_pid = 0;

    /// Those who wait in flock(2), as far as they can be seen; who waits for a foreign lock cannot. A waiter of another pid
    /// namespace counts, but has no pid here.
    std::optional<std::size_t> waiters() const;
};

/// @param name_or_path  as LockPath::open takes it
LockView look_at_lock(const std::string& name_or_path);
LockView look_at_lock(const std::string& name_or_path, const KernelLockTable& table);

/// Every lock that lies in the directory `root` itself: those of this program, and plain directories whose name ends in
/// ".lock". Sorted by path; one that is given back meanwhile is left out.
/// Error: Failure::lock when the directory cannot be read.
Result<std::vector<LockView>> look_at_locks_in(const std::string& root);

/// What a person types for the lock at `path`: "nightly" for `<root>/nightly.lock`, else the path.
std::string lock_name(const std::string& path);

}  // namespace lockstep
