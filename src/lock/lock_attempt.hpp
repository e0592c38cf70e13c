#pragma once
// One go at the lock directory: mkdir, open, flock without waiting, and the proof that it is still the one at the path.

#include <sys/stat.h>

#include "lock/directory_lock.hpp"
#include "lock/lock_steps.hpp"

namespace lockstep {

struct LockAttempt {
    enum class Kind {
        held,          ///< flock is ours, on the inode that is now at the path
        writer_first,  ///< so it is, shared, but a writer waits
        retry,         ///< somebody removed the directory meanwhile: go again
        busy,          ///< ours, but held by another; `directory` can be waited for in flock(2)
        foreign,       ///< a plain mkdir lock: held until it is removed, `foreign_text` says whose
        refused,       ///< `error`
    };
    Kind kind = Kind::retry;
    bool created = false;  ///< by this attempt's mkdir, and no reader has been in it since
    UniqueFd directory;
    struct stat identity{};
    std::string foreign_text;
    Error error;
};

/// @param spare  a descriptor that may be closed if there is no other left to undo the mkdir with
LockAttempt attempt_lock(const LockPath& path, UniqueFd& spare, LockMode mode);

/// What lies where a lock directory would be, and is none: "a plain file", "a symbolic link to x", "a device", …
std::string kind_of_file(const LockPath& path, const struct stat& info);

/// Gives the owner its permissions on `name` back, if it is a file or directory of ours that an odd umask (0777) made
/// unusable. Opens it without permission (O_PATH) and changes that very inode, so that a name that is replaced
/// meanwhile changes nothing. `required` are the file type and mode bits that it must have (S_IFDIR | S_ISVTX).
bool make_usable(int parent_fd, const std::string& name, mode_t required, mode_t mode);

}  // namespace lockstep
