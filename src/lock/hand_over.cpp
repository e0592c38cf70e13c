#include "lock/hand_over.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "lock/lock_attempt.hpp"

namespace lockstep {

namespace {

struct flock whole_file(short type) {
    struct flock range{};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    return range;
}

}  // namespace

void mark_waiter(int directory_fd) {
    struct flock mark = whole_file(F_RDLCK);
    ::fcntl(directory_fd, F_OFD_SETLK, &mark);
}

void unmark_waiter(int directory_fd) {
    struct flock mark = whole_file(F_UNLCK);
    ::fcntl(directory_fd, F_OFD_SETLK, &mark);
}

bool is_waited_for(int directory_fd) {
    // Asks only, for which a descriptor need not be writable; one's own open file is never in its own way.
    struct flock probe = whole_file(F_WRLCK);
    return ::fcntl(directory_fd, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

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
    if (::flock(directory_fd, LOCK_EX | LOCK_NB) == 0) give_up_directory(directory_fd, parent_fd, name, identity);
}

}  // namespace lockstep
