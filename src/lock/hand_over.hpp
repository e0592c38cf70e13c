#pragma once
// How a lock directory is given up: to those who wait for it, or by removing it. The protocol is told in directory_lock.cpp.

#include <sys/stat.h>

#include "lock/lock_mode.hpp"

namespace lockstep {

/// "I wait here": an OFD read lock of fcntl(2) on the open directory. It knows nothing of flock(2), and it goes with its
/// open file whatever becomes of the process. Where it cannot be had, the directory is removed under the waiter, who then
/// goes again from the start: slower, but no less right.
/// `mode` is what is waited for.
void mark_waiter(int directory_fd, LockMode mode);
void unmark_waiter(int directory_fd);

/// Has another open file of the directory such a mark?
bool is_waited_for(int directory_fd);
/// The same for those who wait for the exclusive lock, and for a share.
bool is_writer_waiting(int directory_fd);
bool is_reader_waiting(int directory_fd);

/// Is the record in this file, open for reading and not read yet, one that was passed on? Only for the directory's holder.
bool holds_passed_on_record(int record_fd);

/// Drops the flock for those who wait, whose directory it is from then on.
/// @return false: all have left in this moment, and the flock is the caller's again
bool hand_over(int directory_fd);

/// Gives up a directory that the caller holds by flock on `directory_fd` and has emptied of what is its own: keeps it for those
/// who wait and drops the flock, else removes it, with a record in it that was passed on to nobody. The caller closes the
/// descriptor, and only then.
///
/// @return 0: handed over or removed · ENOENT: it is not the one at the name (any more), and what is there was left alone ·
/// another errno of rmdir(2), such as ENOTEMPTY
int give_up_directory(int directory_fd, int parent_fd, const char* name, const struct stat& identity);

/// For a waiter that waits no longer, when no thread of it is in flock(2) for `directory_fd` any more. If the directory was
/// handed to it in that moment it is given up as a holder would.
void leave_queue(int directory_fd, int parent_fd, const char* name, const struct stat& identity);

}  // namespace lockstep
