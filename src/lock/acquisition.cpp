// DirectoryLock::acquire: attempts and waits.

#include "lock/acquisition.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/text.hpp"
#include "lock/hand_over.hpp"
#include "lock/orphaned_commands.hpp"
#include "lock/readers.hpp"
#include "lock/standpoint.hpp"

namespace lockstep {

namespace {

// With inotify there is a limit for what it does not see: a removal from below an overlay, a waiting writer that is killed.
constexpr Millis kUnseen{1000};
// For a writer that waits although nobody holds the lock: the time to wake up, or else it is stopped (SIGSTOP).
constexpr Millis kToWakeUp{100};

constexpr std::uint32_t kAnyChange = IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF;

/// Somebody else has the flock: if not the run of the record, then one that takes over from it, perhaps after its last command.
std::string describe_exclusive_holder(int directory, const LockRecord& record) {
    if (!Standpoint().is_dead(record)) return describe_holder(record);
    if (const CommandAtWork command = find_command_at_work(directory); command.pid > 0)
        return command.text + "; a run that takes over from it waits already";
    return "a run that is taking over from pid " + std::to_string(record.guardian_pid) + ", which has died";
}

/// The living first, for they are the ones to wait for.
std::string describe_readers_at_work(int directory) {
    std::vector<LockRecord> readers = read_readers(directory);
    const Standpoint here;
    const auto dead = std::erase_if(readers, [&](const LockRecord& reader) { return here.is_dead(reader); });
    std::string text = describe_readers(readers);
    if (const auto command = dead > 0 ? find_command_at_work(directory) : CommandAtWork{}; command.pid > 0)
        text += (text.empty() ? "" : "; and ") + command.text;
    return text;
}

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const LockPath& path, const LockRecord& record, const LockWait& wait,
                                             LockMode mode) {
    return Acquisition(path, record, wait, mode).run();
}

Acquisition::Acquisition(const LockPath& path, const LockRecord& record, const LockWait& wait, LockMode mode)
    : path_(path), record_(record), wait_(wait), mode_(mode), patience_(wait) {}

Result<DirectoryLock> Acquisition::run() {
    if (is_reader() && !is_good_for_a_name(record_.run_id)) {
        return fail(Failure::lock,
                    shown() + ": \"" + printable(record_.run_id) +
                        "\" is no run id for one who shares a lock: " + "it may have up to 64 letters, digits, '_' and '-'");
    }
    fill_in_self(record_);
    // Made first: it is also the descriptor that can be spared to undo a mkdir when there is none left.
    lock_.parent_.reset(::fcntl(path_.parent_fd(), F_DUPFD_CLOEXEC, 3));
    if (!lock_.parent_) return os_error(Failure::lock, shown() + ": no descriptor for the lock");
    lock_.text_ = path_.text();
    lock_.name_ = path_.name();
    lock_.mode_ = mode_;
    if (is_reader()) lock_.written_.run_id = record_.run_id;  // names its files
    while (true) {
        auto next = step(attempt_lock(path_, lock_.parent_, attempted_mode()));
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
        case LockAttempt::Kind::writer_first: return let_writer_go_first(std::move(attempt));
        case LockAttempt::Kind::busy: return wait_for_holder(std::move(attempt));
        case LockAttempt::Kind::foreign: return wait_for_removal(attempt.foreign_text);
        case LockAttempt::Kind::refused: return std::unexpected(std::move(attempt.error));
        case LockAttempt::Kind::retry: break;
    }
    return Next::again;
}

Result<Acquisition::Next> Acquisition::wait_for_holder(LockAttempt attempt) {
    const int directory = attempt.directory.get();
    if (alone_) return wait_for_adoption(directory);
    if (!patience_.only_retries()) mark_waiter(directory, attempted_mode());
    if (may_announce()) announce(describe_current_holder());
    auto end = flock_wait_.run(directory, attempted_mode() == LockMode::shared ? LOCK_SH : LOCK_EX, patience_);
    if (end && *end == WaitEnd::changed) {
        if (patience_.only_retries()) return Next::again;
        // As holder we need no mark, and a copy of our descriptor in a forked child would keep it for ever.
        unmark_waiter(directory);
        if (!is_at(path_.parent_fd(), path_.name().c_str(), attempt.identity)) return Next::again;
        attempt.created = false;  // if it was, another has had it since
        return take(std::move(attempt));
    }
    flock_wait_.finish();
    const std::string holder = end && *end == WaitEnd::timed_out ? describe_current_holder() : "";
    if (!patience_.only_retries()) leave_queue(directory, path_.parent_fd(), path_.name().c_str(), attempt.identity);
    if (!end) return at_this_place(std::move(end.error()));
    return after_wait(*end, holder);
}

/// A reader that found a dead run's record, which another contender is about to take over. Not in the kernel's queue: that one
/// may be a reader, too, whom we need not wait for.
Result<Acquisition::Next> Acquisition::wait_for_adoption(int directory) {
    alone_ = false;
    DirectoryWatch adopter;
    if (!patience_.only_retries()) adopter.start(directory, kAnyChange);
    if (::faccessat(directory, kRecordName, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return Next::again;
    return after_wait(adopter.sleep(patience_, kUnseen), describe_current_holder());
}

Result<Acquisition::Next> Acquisition::wait_for_removal(const std::string& holder) {
    announce(holder);
    if (!removals_.started() && !patience_.only_retries()) {
        // Between an attempt and the watch the directory may have gone: once more before the first sleep.
        removals_.start(path_.parent_fd(), IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF);
        return Next::again;
    }
    return after_wait(removals_.sleep(patience_, kUnseen), holder);
}

/// The directory's flock stays with us meanwhile, so that no other contender mistakes our look at the mark for an orphan's.
Result<Acquisition::Next> Acquisition::wait_for_orphan(OrphanedCommand orphan) {
    announce(orphan.holder);
    auto end = flock_wait_.run(orphan.file.get(), LOCK_EX, patience_);
    flock_wait_.finish();
    lock_.directory_.reset();
    if (!end) return at_this_place(std::move(end.error()));
    return after_wait(*end, orphan.holder);
}

/// A share is to be had, but a writer waits for the others to leave. The kernel's queue is not for us, for it would let us in
/// at once: so we watch for what the writer does, its record (it has come in) or its leaving, and queue up behind it.
Result<Acquisition::Next> Acquisition::let_writer_go_first(LockAttempt attempt) {
    const int directory = attempt.directory.get();
    DirectoryWatch writer;
    if (!patience_.only_retries()) writer.start(directory, kAnyChange);
    // Our share goes as a reader's does: if all the others leave in this moment we are the one to remove the directory.
    const bool held_by_others = ::flock(directory, LOCK_EX | LOCK_NB) != 0;
    if (!held_by_others && gave_way_) {
        alone_ = true;  // nobody keeps the writer from taking it: it is stopped, and we hold the lock
        return take(std::move(attempt));
    }
    gave_way_ = !held_by_others;
    std::string holder = describe_current_holder();
    if (!held_by_others) give_up_directory(directory, path_.parent_fd(), path_.name().c_str(), attempt.identity);
    if (!is_writer_waiting(directory)) return Next::again;
    holder += "; one that wants it alone comes first";
    announce(holder);
    return after_wait(writer.sleep(patience_, held_by_others ? kUnseen : kToWakeUp), holder);
}

Result<Acquisition::Next> Acquisition::after_wait(WaitEnd end, const std::string& holder) {
    switch (end) {
        case WaitEnd::woken: return fail(Failure::stopped, shown() + ": told to stop while waiting for the lock");
        case WaitEnd::timed_out: return fail(Failure::busy, "busy: " + holder);
        case WaitEnd::changed: break;
    }
    return Next::again;
}

/// Whatever went wrong after the flock: nothing of ours stays. A directory that holds something else does.
void Acquisition::give_up() {
    const auto give_up = is_reader() ? give_up_share : give_up_directory;
    if (lock_.directory_) give_up(lock_.directory_.get(), path_.parent_fd(), path_.name().c_str(), lock_.identity_);
    lock_.forget();
}

std::string Acquisition::shown() const { return path_.shown(); }

std::unexpected<Error> Acquisition::at_this_place(Error error) const {
    error.text = shown() + ": " + error.text;
    return std::unexpected(std::move(error));
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
    if (record && !record->passed_on) return describe_exclusive_holder(directory.get(), *record);
    const std::string readers = directory ? describe_readers_at_work(directory.get()) : "";
    return readers.empty() ? "a run that has not written its record yet" : readers;
}

}  // namespace lockstep
