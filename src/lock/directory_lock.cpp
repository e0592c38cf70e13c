// The lock protocol. Whoever holds flock(2) on the inode that is now at the path holds the lock.
//
//   acquire   mkdirat(parent, name, 01700)   EEXIST is fine
//             openat, fstat                  another uid: refused · no sticky bit: a plain mkdir lock, held until it is removed
//             flock(LOCK_EX | LOCK_NB)       of the directory itself. Held by another, and we may wait:
//                 fcntl(F_RDLCK)             our mark, "I wait here", on the same open file
//                 flock(LOCK_EX)             the kernel wakes one waiter at a time, in the order of their coming
//                 fcntl(F_UNLCK)             the lock is ours, or we leave: see below
//             fstatat                        not the same inode any more: from the start
//             flock(LOCK_EX) of record, c.*  held: the command of a killed run is still at work
//             record                         there: its run died, adopted in place · ENOENT: from the start
//   command   flock(LOCK_SH) of record       by the command itself, which inherits the descriptor; where there are several,
//                                            each has a file c.<n> instead
//   release   flock(LOCK_UN) of record, unlink c.*
//             fcntl(F_OFD_GETLK)             only such wait as want it alone:
//                 "passed_on" in the record  to be written over by the next, who need not search: nothing else is inside
//                 flock(LOCK_UN)             and on as below, behind the second flock(LOCK_UN)
//             unlink record
//             fstatat                        not the same inode any more: lost, and left alone
//             fcntl(F_OFD_GETLK)             nobody has a mark: unlink a record that was passed on, rmdir, close, which drops
//                                            the flock
//                 flock(LOCK_UN)             somebody has: the directory stays, and goes to the first of them
//                 fcntl(F_OFD_GETLK)         still somebody, or flock(LOCK_EX | LOCK_NB) fails: theirs · else from fstatat on
//   leave     fcntl(F_UNLCK)                 a waiter that is told to stop, or whose time is up
//             flock(LOCK_EX | LOCK_NB)       fails: its holder sees to it · else from release's fstatat on
//
// The record makes the directory non-empty, and it is written under the flock: so an rmdir that comes before it only sends
// the contender back to the start, and one that comes after it fails.
//
// Readers (LockMode::shared) do the same with LOCK_SH, and differ in this:
//
//   acquire   flock(LOCK_SH)               but if a writer waits (its mark says that it is one): not before it has come in or
//                                          left
//             record                       there: its run died. flock(LOCK_EX), adopted, our mark, back to LOCK_SH (which drops
//                                          the lock for a moment: whoever gets it must see that we are there), no mark
//             r.<run id>                   instead of the record, always under a flock: no reader minds another's
//   release   unlink r.<run id>
//             flock(LOCK_EX | LOCK_NB)     fails: another reader is there, or a writer · else the last: unlink what dead
//                                          readers left, and on as an exclusive holder
//
// A directory that nobody holds or waits for cannot stay. Who releases looks for marks after the flock was dropped, who
// leaves tries the flock after the mark was dropped: whatever the order, the later one of the two finds it free. Only
// SIGKILL between two of these lines leaves it, empty: as good as no directory for the next run, though not for a script's
// mkdir. A waiter that is stopped (SIGSTOP) keeps the directory in place, but nobody from taking it.
//
// lock_protocol.pml is the same for a machine to check, in every order of the steps, and with what is wrong about simpler
// protocols. It knows of one way to go wrong that is left, for rmdir goes by the name: somebody else removes the directory,
// which we have just emptied, between our last fstatat and our rmdir, and a script makes its own there at once.

#include "lock/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "lock/hand_over.hpp"
#include "lock/lock_attempt.hpp"
#include "lock/orphaned_commands.hpp"
#include "lock/readers.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

std::string mark_name(unsigned n) { return "c." + std::to_string(n); }

}  // namespace

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : mode_(other.mode_),
      text_(std::move(other.text_)),
      name_(std::move(other.name_)),
      parent_(std::move(other.parent_)),
      directory_(std::move(other.directory_)),
      identity_(other.identity_),
      record_(std::move(other.record_)),
      written_(std::move(other.written_)),
      record_bytes_(other.record_bytes_),
      owner_(other.owner_),
      last_mark_(other.last_mark_.load()),
      marks_(std::move(other.marks_)),
      is_lent_(other.is_lent_),
      adopted_(std::move(other.adopted_)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
    if (this == &other) return *this;
    std::destroy_at(this);
    return *std::construct_at(this, std::move(other));
}

DirectoryLock DirectoryLock::taken(LockPath path, UniqueFd directory, UniqueFd record) {
    DirectoryLock lock;
    lock.text_ = path.text();
    lock.name_ = path.name();
    lock.parent_ = path.release_parent();
    lock.directory_ = std::move(directory);
    lock.record_ = std::move(record);
    ::fstat(lock.directory_.get(), &lock.identity_);
    lock.written_ = read_lock_record(lock.directory_.get()).value_or(LockRecord{});
    struct stat info{};
    if (::fstat(lock.record_.get(), &info) == 0) lock.record_bytes_ = std::min<std::size_t>(info.st_size, kLongestRecord);
    lock.owner_ = ::getpid();
    lock.is_lent_ = true;
    return lock;
}

DirectoryLock::~DirectoryLock() {
    if (const auto released = release(); !released) log::write(log::Level::error, released.error().text);
}

std::string DirectoryLock::record_name() const {
    return mode_ == LockMode::shared ? reader_name(written_.run_id) : kRecordName;
}

void DirectoryLock::forget() {
    record_.reset();
    directory_.reset();
    parent_.reset();
}

Result<void> DirectoryLock::release() {
    if (!directory_) return {};
    if (::getpid() != owner_) {
        // A copy made by fork: the flock belongs to the open file that we share, and closing our end of it drops nothing.
        forget();
        return {};
    }
    // Record, directory, then close. Closing first would hand the flock to a waiter while the name still exists, and we
    // would then delete the waiter's lock.
    if (is_lent_) unmark_record(record_.get());
    for (const unsigned n : marks_) ::unlinkat(directory_.get(), mark_name(n).c_str(), 0);
    if (pass_on()) {
        forget();
        return {};
    }
    const bool removed = ::unlinkat(directory_.get(), record_name().c_str(), 0) == 0 || errno == ENOENT;
    const int unlink_error = removed ? 0 : errno;
    const auto give_up = mode_ == LockMode::shared ? give_up_share : give_up_directory;
    const int error = give_up(directory_.get(), parent_.get(), name_.c_str(), identity_);
    const std::string contents = error == ENOTEMPTY || error == EEXIST ? list_contents(directory_.get()) : "";
    forget();
    if (error == 0) return {};

    const std::string shown = printable(text_, 4096);
    if (error == ENOENT) {
        return fail(
            Failure::lock,
            shown + ": lock lost: the directory was removed or replaced while it was held; what is there now was left alone");
    }
    if (unlink_error != 0)
        return os_error(Failure::lock, shown + ": the lock is given up, but its record could not be removed", unlink_error);
    if (!contents.empty()) {
        return fail(Failure::lock,
                    shown + ": the lock is given up, but its directory stays, for somebody has put files into it: " + contents +
                        ". Remove them and it",
                    error);
    }
    return os_error(Failure::lock, shown + ": the lock is given up, but its directory could not be removed", error);
}

/// To a writer that waits, where no reader does: the record stays, with the word in it that its run is done, and the next
/// holder writes over it. Making a file and unlinking one takes longer than all the rest of a hand-over.
/// @return false: it is held as before
bool DirectoryLock::pass_on() {
    const int directory = directory_.get();
    if (mode_ == LockMode::shared || !record_ || !is_writer_waiting(directory) || is_reader_waiting(directory)) return false;
    written_.passed_on = true;
    if (!write_record(written_) || !still_ours()) return false;
    if (!hand_over(directory)) give_up_directory(directory, parent_.get(), name_.c_str(), identity_);
    return true;
}

bool DirectoryLock::still_ours() const { return directory_ && is_at(parent_.get(), name_.c_str(), identity_); }

Result<void> DirectoryLock::update(const LockRecord& record) {
    if (!record_) return fail(Failure::lock, printable(text_, 4096) + ": the lock is not held: its record stays as it is");
    auto written = write_record(record);
    if (written) written_ = record;
    return written;
}

Result<void> DirectoryLock::write_record(const LockRecord& record) {
    RecordText text;
    append_record(text, fields_of(record));
    const int error = lockstep::write_record(record_.get(), text, record_bytes_);
    if (error == 0) return {};
    return os_error(Failure::lock, printable(text_, 4096) + ": writing the lock's record", error);
}

int DirectoryLock::lend_record() {
    is_lent_ = true;
    return record_.get();
}

Result<CommandMark> DirectoryLock::mark_command() {
    const unsigned n = ++last_mark_;
    const std::string what = printable(text_, 4096) + ": marking a command as " + mark_name(n);
    if (!directory_) return fail(Failure::lock, what + ": the lock is not held");
    UniqueFd file = create_mark(directory_.get(), mark_name(n).c_str());
    if (!file) return os_error(Failure::lock, what);
    const std::lock_guard guard(marks_mutex_);
    marks_.push_back(n);
    return CommandMark{std::move(file), n};
}

void DirectoryLock::unmark_command(CommandMark mark) {
    if (!directory_ || !mark.fd) return;
    const std::lock_guard guard(marks_mutex_);
    // What could not be removed now is tried once more by release().
    if (::unlinkat(directory_.get(), mark_name(mark.number).c_str(), 0) == 0 || errno == ENOENT)
        std::erase(marks_, mark.number);
}

}  // namespace lockstep
