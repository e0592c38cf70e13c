#include "journal/group_commit.hpp"

#include <chrono>

namespace lockstep {
namespace {

/// How long entries that nobody waits for may wait for company. The state that follows within a moment (first-done, then
/// second-begun; done, then the next pair's first-begun) then shares their transaction.
constexpr std::chrono::milliseconds kLinger{1};

/// More entries than this without anybody waiting: commit at once, and make those who queue wait.
constexpr std::size_t kMany = 1024;

/// Frames of 4 KiB in the write-ahead log before it is copied into the database.
constexpr int kCheckpointFrames = 1000;

int remember_frames(void* frames, sqlite3*, const char*, int count) {
    *static_cast<int*>(frames) = count;
    return SQLITE_OK;
}

}  // namespace

Result<void> sync_write_ahead_log(SqliteDb& db) {
    sqlite3_file* file = nullptr;
    int code = ::sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&file));
    if (code == SQLITE_OK && file != nullptr && file->pMethods != nullptr)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK) return std::unexpected(db.failure("syncing it", code));
    return {};
}

GroupCommit::GroupCommit(SqliteDb& db, PairWriter& rows) : db_(&db), rows_(&rows), checkpoint_at_(kCheckpointFrames) {
    ::sqlite3_wal_hook(db.handle(), remember_frames, &frames_);
    thread_ = std::thread([this] { work(); });
}

GroupCommit::~GroupCommit() { stop(); }

std::uint64_t GroupCommit::enqueue_locked(JournalEntry entry, Durability durability) {
    const bool first = queue_.empty();
    if (const auto* pair = std::get_if<std::shared_ptr<const Pair>>(&entry)) {
        recent_[pair_key((*pair)->item_key, (*pair)->step)] = {*pair, enqueued_ + 1};
    }
    queue_.push_back(std::move(entry));
    // The thread needs waking for the first entry, which starts the linger, and for what ends it.
    const bool synced = durability == Durability::synced;
    if (first || (synced && !sync_wanted_) || queue_.size() == kMany) work_.notify_one();
    sync_wanted_ = sync_wanted_ || synced;
    return ++enqueued_;
}

Result<void> GroupCommit::wait_durable_locked(std::unique_lock<std::mutex>& lock, std::uint64_t number) {
    finished_.wait(lock, [&] { return broken_ || durable_ >= number; });
    return durable_ >= number ? Result<void>() : check_locked();
}

Result<void> GroupCommit::wait_committed_locked(std::unique_lock<std::mutex>& lock) {
    const std::uint64_t number = enqueued_;
    finished_.wait(lock, [&] { return broken_ || committed_ >= number; });
    return check_locked();
}

Result<void> GroupCommit::flush_locked(std::unique_lock<std::mutex>& lock) {
    if (broken_ || durable_ >= enqueued_) return check_locked();
    sync_wanted_ = true;
    work_.notify_one();
    return wait_durable_locked(lock, enqueued_);
}

std::shared_ptr<const Pair> GroupCommit::recent_locked(const std::string& key) const {
    const auto found = recent_.find(key);
    return found != recent_.end() ? found->second.pair : nullptr;
}

std::unexpected<Error> GroupCommit::break_locked(Error error) {
    if (!broken_) broken_ = std::move(error);
    finished_.notify_all();
    return std::unexpected(*broken_);
}

Result<void> GroupCommit::check_locked() const {
    if (broken_) return std::unexpected(*broken_);
    return {};
}

void GroupCommit::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        work_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

void GroupCommit::work() {
    std::unique_lock lock(mutex_);
    std::vector<JournalEntry> batch;
    for (;;) {
        // An error from outside does not end this: what was queued before it is true and is kept.
        work_.wait(lock, [&] { return stopping_ || has_work(); });
        const auto hurry = [&] { return stopping_ || sync_wanted_ || queue_.size() >= kMany; };
        if (!hurry()) work_.wait_for(lock, kLinger, hurry);
        if (stopping_ && !has_work()) return;

        batch.clear();
        batch.swap(queue_);
        const bool sync = sync_wanted_;
        sync_wanted_ = false;
        const std::uint64_t last = enqueued_;
        lock.unlock();
        auto written = batch.empty() ? sync_write_ahead_log(*db_) : commit(batch, sync);
        lock.lock();
        if (!written) {
            (void)break_locked(std::move(written.error()));
            return;
        }
        committed_ = last;
        if (sync) durable_ = last;
        forget_committed(batch, last - batch.size() + 1);
        finished_.notify_all();

        // Those who waited go on meanwhile.
        lock.unlock();
        auto checkpointed = checkpoint_if_due();
        lock.lock();
        if (!checkpointed) {
            (void)break_locked(std::move(checkpointed.error()));
            return;
        }
    }
}

Result<void> GroupCommit::commit(const std::vector<JournalEntry>& batch, bool sync) {
    if (full_sync_ != sync) {
        // NORMAL writes the log without syncing it; the next sync of the log covers those frames as well.
        auto set = db_->run(sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", "setting its durability");
        if (!set) return set;
        full_sync_ = sync;
    }
    auto result = db_->run("BEGIN IMMEDIATE", "beginning a transaction");
    for (const JournalEntry& entry : batch) {
        if (!result) break;
        if (const auto* pair = std::get_if<std::shared_ptr<const Pair>>(&entry)) result = rows_->put(**pair);
        if (const auto* run = std::get_if<RunStart>(&entry)) result = rows_->put(*run);
        if (const auto* pass = std::get_if<PassRow>(&entry)) result = rows_->put(*pass);
        if (const auto* mark = std::get_if<DecisionMark>(&entry)) result = rows_->put(*mark);
    }
    if (result) result = db_->run("COMMIT", sync ? "writing and syncing a transaction" : "writing a transaction");
    if (!result && ::sqlite3_get_autocommit(db_->handle()) == 0) (void)db_->run("ROLLBACK", "rolling back");
    return result;
}

// SQLite's own automatic checkpoints would keep the waiters waiting, and would hide a failed sync of the database.
Result<void> GroupCommit::checkpoint_if_due() {
    if (frames_ < checkpoint_at_) {
        checkpoint_at_ = std::min(checkpoint_at_, frames_ + kCheckpointFrames);
        return {};
    }
    // PASSIVE waits for nobody: a reader only makes it copy less, and is given another thousand frames of time.
    checkpoint_at_ = frames_ + kCheckpointFrames;
    const int code = ::sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
        return std::unexpected(db_->failure("copying its write-ahead log into the database", code));
    }
    return {};
}

/// A finished pair is in the database now, and need not be kept in memory; an open one will be asked for again in a moment.
void GroupCommit::forget_committed(const std::vector<JournalEntry>& batch, std::uint64_t first) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto* pair = std::get_if<std::shared_ptr<const Pair>>(&batch[i]);
        if (pair == nullptr || is_open((*pair)->state)) continue;
        const auto known = recent_.find(pair_key((*pair)->item_key, (*pair)->step));
        if (known != recent_.end() && known->second.number == first + i) recent_.erase(known);
    }
}

}  // namespace lockstep
