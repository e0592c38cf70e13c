#pragma once
// One thread that writes to the database, and a queue before it: whatever has queued up goes into one transaction.

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

#include "journal/pair_table.hpp"

namespace lockstep {

using JournalEntry = std::variant<std::shared_ptr<const Pair>, RunStart, PassRow, DecisionMark>;

/// The functions named `…_locked` are called with `mutex()` held, so that a caller can look and queue in one go.
class GroupCommit {
  public:
    /// `db` and `rows` are used by the thread alone from now on, until stop() returns.
    GroupCommit(SqliteDb& db, PairWriter& rows);
    ~GroupCommit();
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;

    std::mutex& mutex() { return mutex_; }

    /// Queues an entry. @return its number, for the waits
    std::uint64_t enqueue_locked(JournalEntry entry, Durability durability);
    /// Waits until everything up to `number` is on the disk.
    Result<void> wait_durable_locked(std::unique_lock<std::mutex>& lock, std::uint64_t number);
    /// Waits until everything queued so far can be read back; it may not be on the disk yet.
    Result<void> wait_committed_locked(std::unique_lock<std::mutex>& lock);
    /// Everything queued so far is on the disk.
    Result<void> flush_locked(std::unique_lock<std::mutex>& lock);

    /// The newest state of a pair that is open or not committed yet; nullptr: what the database has is the newest.
    std::shared_ptr<const Pair> recent_locked(const std::string& key) const;

    /// Ends everything with this error, unless one came first. @return the error that every call fails with
    std::unexpected<Error> break_locked(Error error);
    Result<void> check_locked() const;

    /// Commits what is queued and ends the thread. Idempotent.
    void stop();

  private:
    struct Recent {
        std::shared_ptr<const Pair> pair;
        std::uint64_t number = 0;
    };

    void work();
    bool has_work() const { return !queue_.empty() || (sync_wanted_ && durable_ < enqueued_); }
    Result<void> commit(const std::vector<JournalEntry>& batch, bool sync);
    Result<void> checkpoint_if_due();
    void forget_committed(const std::vector<JournalEntry>& batch, std::uint64_t first);

    SqliteDb* db_;
    PairWriter* rows_;
    int frames_ = 0;  // in the write-ahead log, told by SQLite after each commit
    int checkpoint_at_;
    std::optional<bool> full_sync_;  // what PRAGMA synchronous is at

    std::mutex mutex_;
    std::condition_variable work_;      // for the thread
    std::condition_variable finished_;  // for those who wait for it
    std::vector<JournalEntry> queue_;
    std::unordered_map<std::string, Recent> recent_;
    std::uint64_t enqueued_ = 0;
    std::uint64_t committed_ = 0;
    std::uint64_t durable_ = 0;
    bool sync_wanted_ = false;
    bool stopping_ = false;
    std::optional<Error> broken_;
    std::thread thread_;
};

/// fsync of the write-ahead log, which covers every commit so far.
Result<void> sync_write_ahead_log(SqliteDb& db);

}  // namespace lockstep
