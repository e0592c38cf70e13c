// DirectoryLock::acquire: attempts, waits, and what is found inside a directory once its flock is ours.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.hpp"
#include "lock/hand_over.hpp"
#include "lock/lock_attempt.hpp"
#include "lock/lock_wait.hpp"
#include "lock/orphaned_commands.hpp"

namespace lockstep {

class Acquisition {
  public:
    Acquisition(const LockPath& path, const LockRecord& record, const LockWait& wait)
        : path_(path), record_(record), wait_(wait), patience_(wait) {}

    Result<DirectoryLock> run();

  private:
    enum class Next { done, again };

    Result<Next> step(LockAttempt attempt);
    Result<Next> wait_for_holder(LockAttempt attempt);
    Result<Next> wait_for_removal(const std::string& holder);
    Result<Next> wait_for_orphan(OrphanedCommand orphan);
    Result<Next> after_wait(WaitEnd end, const std::string& holder);

    Result<Next> take(LockAttempt attempt);
    Result<Next> start_record();
    Result<Next> adopt();
    Result<void> check_journal(const LockRecord& left) const;
    void give_up();

    bool may_announce() const;
    void announce(const std::string& holder);
    std::string describe_current_holder() const;
    std::string shown() const { return printable(path_.text(), 4096); }

    const LockPath& path_;
    LockRecord record_;
    const LockWait& wait_;
    Patience patience_;
    DirectoryLock lock_;
    ParentWatch watch_;
    bool watching_ = false;
    bool announced_ = false;
    bool fix_mode_ = false;
    bool fresh_ = false;  // the directory is of our own making: nothing in it was searched for
};

Result<DirectoryLock> DirectoryLock::acquire(const LockPath& path, const LockRecord& record, const LockWait& wait) {
    return Acquisition(path, record, wait).run();
}

Result<DirectoryLock> Acquisition::run() {
    fill_in_self(record_);
    // Made first: it is also the descriptor that can be spared to undo a mkdir when there is none left.
    lock_.parent_.reset(::fcntl(path_.parent_fd(), F_DUPFD_CLOEXEC, 3));
    if (!lock_.parent_) return os_error(Failure::lock, shown() + ": no descriptor for the lock");
    lock_.text_ = path_.text();
    lock_.name_ = path_.name();
    while (true) {
        auto next = step(attempt_lock(path_, lock_.parent_));
        if (!next) {
            give_up();
            return std::unexpected(std::move(next.error()));
        }
        if (*next == Next::done) {
            lock_.owner_ = ::getpid();  // from here on it releases itself; until here it only closes
            lock_.written_ = std::move(record_);
            return std::move(lock_);
        }
    }
}

Result<Acquisition::Next> Acquisition::step(LockAttempt attempt) {
    switch (attempt.kind) {
        case LockAttempt::Kind::held: return take(std::move(attempt));
        case LockAttempt::Kind::busy: return wait_for_holder(std::move(attempt));
        case LockAttempt::Kind::foreign: return wait_for_removal(attempt.foreign_text);
        case LockAttempt::Kind::refused: return std::unexpected(std::move(attempt.error));
        case LockAttempt::Kind::retry: break;
    }
    return Next::again;
}

Result<Acquisition::Next> Acquisition::wait_for_holder(LockAttempt attempt) {
    const int directory = attempt.directory.get();
    if (!patience_.only_retries()) mark_waiter(directory);
    if (may_announce()) announce(describe_current_holder());
    const auto end = wait_in_flock(directory, patience_);
    if (end && *end == WaitEnd::changed) {
        if (patience_.only_retries()) return Next::again;
        // As holder we need no mark, and a copy of our descriptor in a forked child would keep it for ever.
        unmark_waiter(directory);
        if (!is_at(path_.parent_fd(), path_.name().c_str(), attempt.identity)) return Next::again;
        attempt.created = false;  // if it was, another has had it since
        return take(std::move(attempt));
    }
    const std::string holder = end && *end == WaitEnd::timed_out ? describe_current_holder() : "";
    if (!patience_.only_retries()) leave_queue(directory, path_.parent_fd(), path_.name().c_str(), attempt.identity);
    if (!end) return std::unexpected(end.error());
    return after_wait(*end, holder);
}

Result<Acquisition::Next> Acquisition::wait_for_removal(const std::string& holder) {
    announce(holder);
    if (!watching_ && !patience_.only_retries()) {
        // Between an attempt and the watch the directory may have gone: once more before the first sleep.
        watching_ = true;
        watch_.start(path_);
        return Next::again;
    }
    return after_wait(watch_.sleep(patience_), holder);
}

/// The directory's flock stays with us meanwhile, so that no other contender mistakes our look at the mark for an orphan's.
Result<Acquisition::Next> Acquisition::wait_for_orphan(OrphanedCommand orphan) {
    announce(orphan.holder);
    auto end = wait_in_flock(orphan.file.get(), patience_);
    lock_.directory_.reset();
    if (!end) return std::unexpected(std::move(end.error()));
    return after_wait(*end, orphan.holder);
}

Result<Acquisition::Next> Acquisition::after_wait(WaitEnd end, const std::string& holder) {
    switch (end) {
        case WaitEnd::woken: return fail(Failure::stopped, shown() + ": told to stop while waiting for the lock");
        case WaitEnd::timed_out: return fail(Failure::busy, "busy: " + holder);
        case WaitEnd::changed: break;
    }
    return Next::again;
}

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
    // No run writes a mark before its record: so a directory of our own making needs no search as long as it has none.
    fresh_ = attempt.created;
    if (!fresh_) {
        auto orphan = clear_command_marks(lock_.directory_.get());
        if (!orphan) return fail(Failure::lock, shown() + ": " + orphan.error().text, orphan.error().errno_value);
        if (orphan->file) return wait_for_orphan(std::move(*orphan));
    }
    return start_record();
}

Result<Acquisition::Next> Acquisition::start_record() {
    constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    lock_.record_.reset(::openat(lock_.directory_.get(), "record", kFlags, 0600));
    if (!lock_.record_) {
        const int error = errno;
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
    if (auto written = lock_.write_record(record_); !written) {
        ::unlinkat(lock_.directory_.get(), "record", 0);
        return std::unexpected(std::move(written.error()));
    }
    return Next::done;
}

/// A record is there and its run is dead, for we hold the flock: taken over as it stands, without a moment of absence.
Result<Acquisition::Next> Acquisition::adopt() {
    constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const int directory = lock_.directory_.get();
    lock_.record_.reset(::openat(directory, "record", kFlags));
    if (!lock_.record_ && errno == EACCES && make_usable(directory, "record", S_IFREG, 0600)) {
        lock_.record_.reset(::openat(directory, "record", kFlags));
    }
    if (!lock_.record_ && errno == ENOENT) return Next::again;
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
    if (auto checked = check_journal(left); !checked) return std::unexpected(std::move(checked.error()));
    if (auto wanted = wait_.may_adopt ? wait_.may_adopt(left) : Result<void>(); !wanted)
        return std::unexpected(std::move(wanted.error()));
    lock_.record_bytes_ = std::min(static_cast<std::size_t>(info.st_size), kLongestRecord);
    if (auto written = lock_.write_record(record_); !written) return std::unexpected(std::move(written.error()));
    lock_.adopted_ = AdoptedFrom{std::move(left)};
    return Next::done;
}

/// What the dead run left half done stands in its journal: a run that keeps another one must not take its place.
Result<void> Acquisition::check_journal(const LockRecord& left) const {
    const bool same_job = left.job == record_.job && !left.journal.empty() && !record_.journal.empty();
    if (!same_job || left.journal == record_.journal) return {};
    return fail(Failure::lock, shown() + ": the run that died here kept its journal in " + printable(left.journal, 4096) +
                                   ", this one would keep it in " + printable(record_.journal, 4096) +
                                   ". Run the job once with the same --state-dir as before");
}

/// Whatever went wrong after the flock: nothing of ours stays. A directory that holds something else does.
void Acquisition::give_up() {
    if (lock_.directory_) give_up_directory(lock_.directory_.get(), path_.parent_fd(), path_.name().c_str(), lock_.identity_);
    lock_.forget();
}

bool Acquisition::may_announce() const { return !announced_ && !patience_.only_retries() && wait_.on_wait; }

void Acquisition::announce(const std::string& holder) {
    if (!may_announce()) return;
    announced_ = true;
    wait_.on_wait(holder);
}

std::string Acquisition::describe_current_holder() const {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const UniqueFd directory(::openat(path_.parent_fd(), path_.name().c_str(), kFlags));
    const auto record = directory ? read_lock_record(directory.get()) : std::nullopt;
    if (!record) return "a run that has not written its record yet";
    const bool same_place = record->boot_id == record_.boot_id && record->pid_namespace == record_.pid_namespace;
    if (same_place && record->guardian_pid > 0 && !is_same_process(record->guardian_pid, record->guardian_start)) {
        return "a run that is taking over from pid " + std::to_string(record->guardian_pid) + ", which has died";
    }
    return describe_holder(*record);
}

}  // namespace lockstep
