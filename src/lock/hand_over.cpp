#include "lock/hand_over.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lock/lock_steps.hpp"

namespace lockstep {

namespace {

// Whoever waits has a mark on the middle byte; who waits for the exclusive lock, on the one before it, too, and who waits for a
// share, on the one behind it. A directory has no such bytes, but locks are ranges of numbers.
constexpr off_t kWriter = 0;
constexpr off_t kAnybody = 1;
constexpr off_t kReader = 2;

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

/// Those whom it was meant for have all left.
bool unlink_what_was_passed_on(int directory_fd) {
    const UniqueFd file(::openat(directory_fd, kRecordName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    return file && holds_passed_on_record(file.get()) && ::unlinkat(directory_fd, kRecordName, 0) == 0;
}

}  // namespace

void mark_waiter(int directory_fd, LockMode mode) {
    struct flock mark = mode == LockMode::exclusive ? range(F_RDLCK, kWriter, kAnybody) : range(F_RDLCK, kAnybody, kReader);
    ::fcntl(directory_fd, F_OFD_SETLK, &mark);
}

void unmark_waiter(int directory_fd) {
    struct flock mark = range(F_UNLCK, kWriter, kReader);
    ::fcntl(directory_fd, F_OFD_SETLK, &mark);
}

bool is_waited_for(int directory_fd) { return is_marked(directory_fd, kAnybody); }
bool is_writer_waiting(int directory_fd) { return is_marked(directory_fd, kWriter); }
bool is_reader_waiting(int directory_fd) { return is_marked(directory_fd, kReader); }

bool holds_passed_on_record(int record_fd) {
    char text[kLongestRecord];
    const ssize_t length = ::read(record_fd, text, sizeof text);
    return length > 0 && is_passed_on({text, static_cast<std::size_t>(length)});
}

bool hand_over(int directory_fd) {
    ::flock(directory_fd, LOCK_UN);
    // Whoever still waits, or has taken it meanwhile, is now the one to remove it. If all have left, it is still us: and
    // they looked for the flock after they had taken their marks away, as we look for marks after the flock.
    return is_waited_for(directory_fd) || ::flock(directory_fd, LOCK_EX | LOCK_NB) != 0;
}

int give_up_directory(int directory_fd, int parent_fd, const char* name, const struct stat& identity) {
    if (!is_at(parent_fd, name, identity)) return ENOENT;
    bool was_free = false;
    while (is_waited_for(directory_fd)) {
        if (hand_over(directory_fd) || !is_at(parent_fd, name, identity)) return 0;
        was_free = true;
    }
    int error = ::unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 ? 0 : errno;
    if ((error == ENOTEMPTY || error == EEXIST) && unlink_what_was_passed_on(directory_fd))
        error = ::unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 ? 0 : errno;
    // Not empty after it was free: somebody held it meanwhile, and died. Not ours to speak of.
    return was_free ? 0 : error;
}

void leave_queue(int directory_fd, int parent_fd, const char* name, const struct stat& identity) {
    unmark_waiter(directory_fd);
    ::futimens(directory_fd, nullptr);  // for readers that let us go first: they watch the directory, and see no mark go
    if (::flock(directory_fd, LOCK_EX | LOCK_NB) == 0) give_up_directory(directory_fd, parent_fd, name, identity);
}

}  // namespace lockstep
