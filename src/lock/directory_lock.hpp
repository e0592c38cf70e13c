#pragma once
// The lock: a directory that everybody sees, held by flock(2) on its inode.

#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/error.hpp"
#include "lock/lock_mode.hpp"
#include "lock/lock_record.hpp"
#include "sys/command_mark.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// Where a lock lies that is named without '/': /tmp or $LOCKSTEP_LOCK_ROOT.
std::string default_lock_root();

/// A lock's place: the parent is opened once, so that a later chdir or rename of a parent changes nothing.
class LockPath {
  public:
    /// A name without '/' means `<root>/<name>.lock` with default_lock_root(), anything else is a path; relative
    /// ones are to the working directory. Errors (Failure::lock): no such parent, a parent that its group or others may write
    /// without the sticky bit, a network file system (an allowlist by statfs(2): flock on a directory is not to be trusted
    /// elsewhere), a last component of "." or ".."; Failure::usage: the name is empty.
    static Result<LockPath> open(const std::string& name_or_path) { return open(name_or_path, Use::take); }

    /// The same to look at what lies there: its errors advise no other place.
    static Result<LockPath> open_to_look(const std::string& name_or_path) { return open(name_or_path, Use::look); }

    /// The same without a look at anything, for a parent that is open already and a text that it was opened by.
    static LockPath of_parent(const std::string& name_or_path, UniqueFd parent);

    const std::string& text() const { return text_; }  ///< absolute, for people and the record
    std::string shown() const;                         ///< the same, as a message says it
    int parent_fd() const { return parent_.get(); }
    UniqueFd release_parent() { return std::move(parent_); }
    const std::string& name() const { return name_; }
    /// How to have it elsewhere, as messages say it: "with --lock", and for a bare name "or LOCKSTEP_LOCK_ROOT".
    const char* ways_elsewhere() const { return ways_elsewhere_; }

  private:
    enum class Use { take, look };
    static Result<LockPath> open(const std::string& name_or_path, Use use);

    const char* ways_elsewhere_ = "";
    std::string text_;
    std::string name_;
    UniqueFd parent_;
};

/// How long to wait for a busy lock.
struct LockWait {
    /// nullopt: for ever; 0: about 100 ms of retries, so that a passing prober is no false "busy".
    std::optional<Millis> limit = Millis{0};
    int wake_fd = -1;  ///< readable: give up at once (Failure::stopped)
    /// Called once, before the first wait, with who holds it ("pid 812 since 03:00:01, order o17, second").
    std::function<void(const std::string& holder)> on_wait;
    /// Asked before a dead run is taken over, with what it left: an error ends the acquisition, and all stays as it was.
    std::function<Result<void>(const LockRecord& left)> may_adopt;
};

struct AdoptedFrom {
    LockRecord record;  ///< what the dead run left
};

/// The lock while it is held. release() is the normal way out; the destructor is the backup.
class [[nodiscard]] DirectoryLock {
  public:
    /// Takes the lock by the protocol of the header comment in directory_lock.cpp. `record` is completed with what this
    /// process knows of itself (fill_in_self) and the time at which the lock was taken: see record().
    ///
    /// Errors: Failure::busy, the text is "busy: " and who holds it · Failure::stopped, wake_fd became readable first ·
    /// Failure::lock, the place is hostile or unusable, or the run that died here kept another journal for the same job:
    /// nothing was changed, and nothing is left behind · Failure::os, no thread or descriptor to wait with.
    ///
    /// The calling thread waits in flock(2), interruptible by SIGURG for that time; a helper thread, which watches the clock
    /// and wake_fd, sends it. Who need not wait starts none. When the call has returned nothing of it waits any more.
    ///
    /// `mode`: a reader (shared) writes its record as `r.<run id>`; its run id must be one that is good for a file name and not
    /// in use here. Readers that come while a writer waits for other readers to leave are let in after it.
    static Result<DirectoryLock> acquire(const LockPath& path, const LockRecord& record, const LockWait& wait,
                                         LockMode mode = LockMode::exclusive);

    /// An exclusive lock that this process has taken by the steps of lock_steps.hpp, with at most its record in it.
    static DirectoryLock taken(LockPath path, UniqueFd directory, UniqueFd record);

    DirectoryLock(DirectoryLock&&) noexcept;
    DirectoryLock& operator=(DirectoryLock&&) noexcept;
    ~DirectoryLock();

    /// Removes marks and record, then hands the directory to those who wait or removes it, then closes: in that order; to
    /// those who wait for the lock alone, the record goes with it. A reader leaves that to the last one. Does nothing in a
    /// process other than the one that acquired it, nothing if already released, and leaves a successor's directory alone
    /// ("lock lost"). Error: Failure::lock, also when files of others keep the directory in place; it is given up in any case,
    /// and the next run takes it as it is.
    Result<void> release();

    /// Is the directory at the path still the one we hold? One system call.
    bool still_ours() const;

    /// The record as it was written last: the one to change and hand to update().
    const LockRecord& record() const { return written_; }

    /// Rewrites the record in place by one pwrite(2). Not from two threads at once.
    Result<void> update(const LockRecord& record);

    /// For a run that has one command at a time: the record's descriptor, which the command inherits and takes under flock
    /// (mark_record) before it begins. release() takes it back from what the command has left running.
    int lend_record();

    /// For an exclusive holder that has several: creates `c.<n>`, flocks it shared, and returns the descriptor that a command
    /// inherits. Its pid is written there when it is known: write_mark_pid(). Any thread may call it.
    Result<CommandMark> mark_command();
    /// Removes it, then closes it: a number is never found again by an adopter once its command was reaped.
    void unmark_command(CommandMark mark);

    /// The run that died holding this lock, if it was adopted.
    const std::optional<AdoptedFrom>& adopted() const { return adopted_; }
    const std::string& path() const { return text_; }

  private:
    friend class Acquisition;

    DirectoryLock() = default;
    Result<void> write_record(const LockRecord& record);
    bool pass_on();
    std::string record_name() const;
    void forget();

    LockMode mode_ = LockMode::exclusive;
    std::string text_;
    std::string name_;
    UniqueFd parent_;
    UniqueFd directory_;  // its flock is the lock
    struct stat identity_{};
    UniqueFd record_;
    LockRecord written_;
    std::size_t record_bytes_ = 0;  // what was written last: the record never gets shorter
    pid_t owner_ = -1;
    std::atomic<unsigned> last_mark_ = 0;
    std::mutex marks_mutex_;
    std::vector<unsigned> marks_;  // the n of each c.<n> inside
    bool is_lent_ = false;         // the record, to a command
    std::optional<AdoptedFrom> adopted_;
};

}  // namespace lockstep
