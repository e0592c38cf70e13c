// DirectoryLock::acquire: what is found inside a directory once its flock is ours.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.hpp"
#include "lock/acquisition.hpp"
#include "lock/hand_over.hpp"
#include "lock/readers.hpp"

namespace lockstep {

Result<Acquisition::Next> Acquisition::take(LockAttempt attempt) {
    lock_.directory_ = std::move(attempt.directory);
    lock_.identity_ = attempt.identity;
    // A umask such as 0277 left us a directory that we can open but not write to.
    const bool odd_mode = (attempt.identity.st_mode & 0700) != 0700;
    if (odd_mode && ::fchmod(lock_.directory_.get(), kOurMode) != 0) {
        return os_error(Failure::lock, shown() + ": giving the lock directory its permissions");
    }
    fix_mode_ = odd_mode || !attempt.created;
    record_.since_ms = wall_now_ms();
    if (attempted_mode() == LockMode::shared) return join_readers();
    // No run writes a mark before its record, but for readers: so a directory of our own making needs no search as long as it
    // has none.
    fresh_ = attempt.created;
    if (!fresh_ && !is_reader() && take_what_was_passed_on()) return Next::done;
    flock_wait_.finish();
    if (!fresh_) {
        auto orphan = clear_command_marks(lock_.directory_.get());
        if (!orphan) return at_this_place(std::move(orphan.error()));
        if (orphan->file) return wait_for_orphan(std::move(*orphan));
    }
    return is_reader() ? become_reader() : start_record();
}

/// From writer to writer, without a search for what is left inside: who passed it on had searched, and nobody else has been
/// in since, if there were never readers.
bool Acquisition::take_what_was_passed_on() {
    struct stat directory{};
    if (::fstat(lock_.directory_.get(), &directory) != 0 || (directory.st_mode & kHadReaders) != 0) return false;
    lock_.record_.reset(::openat(lock_.directory_.get(), kRecordName, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat record{};
    if (lock_.record_ && ::fstat(lock_.record_.get(), &record) == 0 && S_ISREG(record.st_mode) &&
        holds_passed_on_record(lock_.record_.get())) {
        lock_.record_bytes_ = std::min(static_cast<std::size_t>(record.st_size), kLongestRecord);
        if (lock_.write_record(record_)) return true;
    }
    lock_.record_.reset();
    return false;
}

Result<Acquisition::Next> Acquisition::join_readers() {
    // What a killed run has left is for an exclusive holder to take over, which we become for a moment.
    if (::faccessat(lock_.directory_.get(), kRecordName, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        alone_ = true;
        lock_.directory_.reset();
        return Next::again;
    }
    return start_record();
}

/// Held exclusively, and to be shared from now on.
Result<Acquisition::Next> Acquisition::become_reader() {
    const int directory = lock_.directory_.get();
    auto left = read_lock_record(directory);
    if (left && !left->passed_on) {
        if (auto wanted = may_adopt(*left); !wanted) return std::unexpected(std::move(wanted.error()));
    }
    auto next = start_record();  // first, so that the directory is never empty
    if (!next || *next == Next::again) return next;
    if (left) {
        ::unlinkat(directory, kRecordName, 0);
        if (!left->passed_on) lock_.adopted_ = AdoptedFrom{std::move(*left)};
    }
    alone_ = false;
    // The conversion is not atomic (flock(2)): others may hold it by now, or have held it in between, and taken our record for
    // that of a dead reader. Whoever gives it up in between keeps the directory, which our record would keep him from removing,
    // for the sake of our mark.
    mark_waiter(directory, LockMode::shared);
    const bool shared = ::flock(directory, LOCK_SH | LOCK_NB) == 0;
    if (shared) unmark_waiter(directory);
    struct stat record{};
    if (shared && ::fstat(lock_.record_.get(), &record) == 0 && record.st_nlink > 0) return Next::done;
    ::unlinkat(directory, lock_.record_name().c_str(), 0);
    lock_.record_.reset();
    const char* name = path_.name().c_str();
    if (shared) {
        give_up_share(directory, path_.parent_fd(), name, lock_.identity_);
    } else {
        leave_queue(directory, path_.parent_fd(), name, lock_.identity_);
    }
    lock_.directory_.reset();
    return Next::again;
}

Result<Acquisition::Next> Acquisition::start_record() {
    const mode_t mode = lock_.identity_.st_mode & 07777;
    if (is_reader() && (mode & kHadReaders) == 0 && ::fchmod(lock_.directory_.get(), mode | kOurMode | kHadReaders) != 0) {
        return os_error(Failure::lock, shown() + ": marking the lock directory as shared");
    }
    lock_.record_ = create_record(lock_.directory_.get(), lock_.record_name().c_str());
    if (!lock_.record_) {
        const int error = errno;
        if (error == EEXIST && is_reader()) {
            return fail(Failure::lock, shown() + ": run " + record_.run_id + " shares this lock already");
        }
        if (error == EEXIST && fresh_) {
            // Another came between our mkdir and our flock, and died: its command may still be at work. Once more, as in any
            // directory that was there before us. Our flock goes first, or we would wait for ourselves.
            lock_.directory_.reset();
            return Next::again;
        }
        if (error == EEXIST) return adopt();
        if (error == ENOENT) {  // rmdir by somebody since we looked
            lock_.directory_.reset();
            return Next::again;
        }
        return os_error(Failure::lock, shown() + ": making the lock's record", error);
    }
    if (fix_mode_) ::fchmod(lock_.record_.get(), 0600);
    if (is_reader()) ::flock(lock_.record_.get(), LOCK_EX | LOCK_NB);  // of a file that nobody has opened yet
    if (auto written = lock_.write_record(record_); !written) {
        ::unlinkat(lock_.directory_.get(), lock_.record_name().c_str(), 0);
        return std::unexpected(std::move(written.error()));
    }
    return Next::done;
}

/// A record is there and its run is dead, for we hold the flock: taken over as it stands, without a moment of absence.
Result<Acquisition::Next> Acquisition::adopt() {
    constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const int directory = lock_.directory_.get();
    lock_.record_.reset(::openat(directory, kRecordName, kFlags));
    if (!lock_.record_ && errno == EACCES && make_usable(directory, kRecordName, S_IFREG, 0600)) {
        lock_.record_.reset(::openat(directory, kRecordName, kFlags));
    }
    if (!lock_.record_ && errno == ENOENT) {  // removed by somebody since we looked: our flock goes first, as above
        lock_.directory_.reset();
        return Next::again;
    }
    struct stat info{};
    if (!lock_.record_ || ::fstat(lock_.record_.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return fail(Failure::lock,
                    shown() +
                        ": a lock left behind whose record is not a file that we can read and write: "
                        "see what it is, then remove " +
                        shown() + "/record",
                    EEXIST);
    }
    LockRecord left = read_lock_record(directory).value_or(LockRecord{});
    if (!left.passed_on) {
        if (auto wanted = may_adopt(left); !wanted) return std::unexpected(std::move(wanted.error()));
    }
    lock_.record_bytes_ = std::min(static_cast<std::size_t>(info.st_size), kLongestRecord);
    if (auto written = lock_.write_record(record_); !written) return std::unexpected(std::move(written.error()));
    if (!left.passed_on) lock_.adopted_ = AdoptedFrom{std::move(left)};
    return Next::done;
}

/// What the dead run left half done stands in its journal: a run that keeps another one must not take its place.
Result<void> Acquisition::may_adopt(const LockRecord& left) const {
    const bool same_job = left.job == record_.job && !left.journal.empty() && !record_.journal.empty();
    if (!same_job || left.journal == record_.journal) return wait_.may_adopt ? wait_.may_adopt(left) : Result<void>();
    return fail(Failure::lock, shown() + ": the run that died here kept its journal in " + printable(left.journal, 4096) +
                                   ", this one would keep it in " + printable(record_.journal, 4096) +
                                   ". Run the job once with the same --state-dir as before");
}

}  // namespace lockstep
