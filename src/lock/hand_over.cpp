#include "lock/hand_over.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lock/lock_steps.hpp"

namespace lockstep {

namespace {

// Whoever waits has a mark on the first byte; who waits for the exclusive lock, on the second, too. A directory has no such
// bytes, but locks are ranges of numbers.
constexpr off_t kAnybody = 0;
constexpr off_t kWriter = 1;

struct flock range(short type, off_t first, off_t last) {
    struct flock range{};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = first;
    range.l_len = last - first + 1;
    return range;
}

bool is_marked(int directory_fd, off_t byte) {
    // Asks only, for which a descriptor need not be writable; one's own open file is never in its own way.
    struct flock probe = range(F_WRLCK, byte, byte);
    return ::fcntl(directory_fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

}  // namespace

void mark_waiter(int directory_fd, LockMode mode) {
    struct flock mark = range(F_RDLCK, kAnybody, mode == LockMode::exclusive ? kWriter : kAnybody);
    ::fcntl(directory_fd, F_OFD_SETLK, &mark);
}

void unmark_waiter(int directory_fd) {
    struct flock mark = range(F_UNLCK, kAnybody, kWriter);
    ::fcntl(directory_fd, F_OFD_SETLK, &mark);
}

bool is_waited_for(int directory_fd) { return is_marked(directory_fd, kAnybody); }
bool is_writer_waiting(int directory_fd) { return is_marked(directory_fd, kWriter); }

int give_up_directory(int directory_fd, int parent_fd, const char* name, const struct stat& identity) {
    if (!is_at(parent_fd, name, identity)) return ENOENT;
    bool was_free = false;
    while (is_waited_for(directory_fd)) {
        ::flock(directory_fd, LOCK_UN);
        was_free = true;
        // Whoever still waits, or has taken it meanwhile, is now the one to remove it. If all have left, it is still us: and
        // they looked for the flock after they had taken their marks away, as we look for marks after the flock.
        if (is_waited_for(directory_fd)) return 0;
        if (::flock(directory_fd, LOCK_EX | LOCK_NB) != 0 || !is_at(parent_fd, name, identity)) return 0;
    }
    const int error = ::unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 ? 0 : errno;
    // Not empty after it was free: somebody held it meanwhile, and died. Not ours to speak of.
    return was_free ? 0 : error;
}

void leave_queue(int directory_fd, int parent_fd, const char* name, const struct stat& identity) {
    unmark_waiter(directory_fd);
    ::futimens(directory_fd, nullptr);  // for readers that let us go first: they watch the directory, and see no mark go
    if (::flock(directory_fd, LOCK_EX | LOCK_NB) == 0) give_up_directory(directory_fd, parent_fd, name, identity);
}

}  // namespace lockstep
