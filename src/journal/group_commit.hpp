#pragma once
// Whatever has queued up goes into one transaction. A worker that finds the journal idle writes its own entry at once; what
// queues up meanwhile is written by a thread of the journal's own, one transaction after the other until nobody waits.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

#include "journal/pair_table.hpp"
#include "journal/write_ahead_log.hpp"
#include "sys/latch.hpp"

namespace lockstep {

using JournalEntry = std::variant<std::shared_ptr<const Pair>, RunStart, PassRow, DecisionMark>;

/// The functions named `…_locked` are called with `mutex()` held, so that a caller can look and queue in one go.
class GroupCommit {
  public:
    /// `db` and `rows` are used by this object alone from now on, until stop() returns. Throws std::system_error if there is no
    /// thread to be had.
    GroupCommit(SqliteDb& db, PairWriter& rows);
    ~GroupCommit();
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;

    std::mutex& mutex() { return mutex_; }

    /// Queues an entry. A pair that is in the queue already is replaced: of two states in one transaction nobody ever sees the
    /// first. @return its number, for wait()
    std::uint64_t enqueue_locked(JournalEntry entry);
    /// Waits until everything up to `number` is on the disk (synced), or only can be read back (ordered); writes it itself if
    /// nobody else does.
    /// @param lock  holds mutex(); it is unlocked during the wait, and may be so on return
    Result<void> wait_locked(std::unique_lock<std::mutex>& lock, std::uint64_t number, Durability durability);
    /// The number of the last entry.
    std::uint64_t last_locked() const { return enqueued_; }
    /// So much has queued up that whoever queues more should wait for it.
    bool is_full_locked() const { return open_->entries.size() >= kMany; }

    /// The newest state of a pair that is open or not committed yet; nullptr: what the database has is the newest.
    std::shared_ptr<const Pair> recent_locked(const std::string& key) const;

    /// Ends everything with this error, unless one came first. @return the error that every call fails with
    std::unexpected<Error> break_locked(Error error);
    Result<void> check_locked() const;

    /// Commits what is queued and ends the thread. Idempotent.
    void stop();

  private:
    static constexpr std::size_t kMany = 1024;

    enum class End : int { written = 1, synced, failed };

    /// The entries of one transaction. Those who wait for its end sleep on `end`, not on the mutex: it wakes them and nobody
    /// else, and they need no lock to go on.
    struct Batch {
        explicit Batch(std::uint64_t first_number) : first(first_number) {}
        std::vector<JournalEntry> entries;
        std::uint64_t first;                            // the number of entries[0]
        bool awaited = false;                           // somebody waits for its end
        bool sync = false;                              // and for it to be on the disk
        std::chrono::steady_clock::time_point since{};  // of entries[0]
        Latch end;                                      // an End
    };
    struct Recent {
        std::shared_ptr<const Pair> pair;
        std::uint64_t number = 0;
    };

    void work();
    bool must_be_written() const;
    void wake_thread_locked();
    void write_open(std::unique_lock<std::mutex>& lock);
    Result<void> write(const Batch& batch);
    Result<void> commit(const Batch& batch);
    bool checkpoint_is_due() const { return frames_ >= checkpoint_at_; }
    void checkpoint(std::unique_lock<std::mutex>& lock);
    void fail_locked(Error error);
    void forget_committed(const Batch& batch);

    // Used by whoever has set `writing_`.
    SqliteDb* db_;
    PairWriter* rows_;
    LogRoom room_;
    std::optional<bool> full_sync_;  // what PRAGMA synchronous is at

    std::mutex mutex_;
    std::condition_variable work_;  // for the thread
    std::shared_ptr<Batch> open_;
    std::shared_ptr<Batch> in_hand_;  // being written
    std::unordered_map<std::string, Recent> recent_;
    std::uint64_t enqueued_ = 0;
    std::uint64_t committed_ = 0;
    std::uint64_t durable_ = 0;
    std::atomic<int> frames_ =
        0;  // in the write-ahead log, told by SQLite after each commit: by whoever writes, without the mutex
    int checkpoint_at_;
    bool writing_ = false;  // somebody uses the database
    bool ticking_ = false;  // the thread will look by itself within a moment
    bool stopping_ = false;
    bool failed_ = false;  // the database; nothing is written any more
    std::optional<Error> broken_;
    std::thread thread_;
};

}  // namespace lockstep
