#include "journal/group_commit.hpp"

#include <algorithm>

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

/// How long entries that nobody waits for may wait for company. The state that follows within a moment (first-done, then
/// second-begun; done, then the next pair's first-begun) then shares their transaction.
constexpr std::chrono::milliseconds kLinger{1};

/// Frames of 4 KiB in the write-ahead log before it is copied into the database.
constexpr int kCheckpointFrames = 2000;

int remember_frames(void* frames, sqlite3*, const char*, int count) {
    *static_cast<std::atomic<int>*>(frames) = count;
    return SQLITE_OK;
}

}  // namespace

GroupCommit::GroupCommit(SqliteDb& db, PairWriter& rows)
    : db_(&db), rows_(&rows), room_(db), open_(std::make_shared<Batch>(1)), checkpoint_at_(kCheckpointFrames) {
    ::sqlite3_wal_hook(db.handle(), remember_frames, &frames_);
    thread_ = std::thread([this] { work(); });
}

GroupCommit::~GroupCommit() { stop(); }

std::uint64_t GroupCommit::enqueue_locked(JournalEntry entry) {
    if (const auto* pair = std::get_if<std::shared_ptr<const Pair>>(&entry)) {
        Recent& recent = recent_[pair_key((*pair)->item_key, (*pair)->step)];
        recent.pair = *pair;
        if (recent.number >= open_->first) {
            open_->entries[recent.number - open_->first] = std::move(entry);
            return recent.number;
        }
        recent.number = enqueued_ + 1;
    }
    if (open_->entries.empty()) open_->since = Clock::now();
    open_->entries.push_back(std::move(entry));
    ++enqueued_;
    wake_thread_locked();
    return enqueued_;
}

Result<void> GroupCommit::wait_locked(std::unique_lock<std::mutex>& lock, std::uint64_t number, Durability durability) {
    const bool synced = durability == Durability::synced;
    while ((synced ? durable_ : committed_) < number) {
        if (failed_) return check_locked();
        const bool in_hand = in_hand_ && number < open_->first && (in_hand_->sync || !synced);
        const std::shared_ptr<Batch> batch = in_hand ? in_hand_ : open_;
        if (!in_hand) {
            batch->awaited = true;
            batch->sync = batch->sync || synced;
        }
        if (!writing_) {
            write_open(lock);
            continue;
        }
        lock.unlock();
        const auto end = static_cast<End>(batch->end.wait());
        if (end == End::synced || (end == End::written && !synced)) return {};
        lock.lock();
    }
    return {};
}

std::shared_ptr<const Pair> GroupCommit::recent_locked(const std::string& key) const {
    const auto found = recent_.find(key);
    return found != recent_.end() ? found->second.pair : nullptr;
}

std::unexpected<Error> GroupCommit::break_locked(Error error) {
    if (!broken_) broken_ = std::move(error);
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

/// Not only in a moment, but now.
bool GroupCommit::must_be_written() const {
    return open_->awaited || open_->entries.size() >= kMany || (stopping_ && !open_->entries.empty());
}

/// Whoever writes does this when it is through: until then the thread has nothing to do.
void GroupCommit::wake_thread_locked() {
    if (writing_) return;
    const bool lingering = !open_->entries.empty() && !ticking_;
    if (lingering || stopping_ || checkpoint_is_due() || must_be_written()) work_.notify_one();
}

// An error from outside does not end this: what was queued before it is true and is kept.
void GroupCommit::work() {
    std::unique_lock lock(mutex_);
    std::uint64_t seen = 0;
    while (!failed_) {
        const auto due = (open_->entries.empty() ? Clock::now() : open_->since) + kLinger;
        const bool late = due <= Clock::now();
        if (!writing_ && (must_be_written() || late)) {
            write_open(lock);
            if (checkpoint_is_due() && !writing_ && !failed_) checkpoint(lock);
        } else if (!writing_ && checkpoint_is_due()) {
            checkpoint(lock);
        } else if (!writing_ && stopping_) {
            return;
        } else if (late || (open_->entries.empty() && seen == enqueued_)) {
            work_.wait(lock);
        } else {
            // Where entries come and go all the time, looking after them once a millisecond is cheaper than being woken.
            seen = enqueued_;
            ticking_ = true;
            work_.wait_until(lock, due);
            ticking_ = false;
        }
    }
}

/// With `writing_` unset. `lock` is held before and after, not in between.
void GroupCommit::write_open(std::unique_lock<std::mutex>& lock) {
    writing_ = true;
    const auto batch = std::exchange(open_, std::make_shared<Batch>(enqueued_ + 1));
    in_hand_ = batch;
    lock.unlock();
    auto written = write(*batch);
    lock.lock();
    writing_ = false;
    in_hand_.reset();
    if (written) {
        committed_ = open_->first - 1;
        if (batch->sync) durable_ = committed_;
        checkpoint_at_ = std::min(checkpoint_at_, frames_ + kCheckpointFrames);  // the log has begun anew
        forget_committed(*batch);
        wake_thread_locked();
    } else {
        fail_locked(std::move(written.error()));
    }
    lock.unlock();
    const End end = !written ? End::failed : batch->sync ? End::synced : End::written;
    batch->end.set(static_cast<int>(end));
    lock.lock();
}

Result<void> GroupCommit::write(const Batch& batch) {
    if (!batch.entries.empty()) return commit(batch);
    return batch.sync ? sync_write_ahead_log(*db_) : Result<void>();
}

Result<void> GroupCommit::commit(const Batch& batch) {
    if (full_sync_ != batch.sync) {
        // NORMAL writes the log without syncing it; the next sync of the log covers those frames as well.
        auto set = db_->run(batch.sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", "setting its durability");
        if (!set) return set;
        full_sync_ = batch.sync;
    }
    if (auto there = batch.sync ? check_in_place(*db_, frames_) : Result<void>(); !there) return there;
    auto result = rows_->begin();
    if (result && batch.sync) room_.make(frames_);
    for (const JournalEntry& entry : batch.entries) {
        if (!result) break;
        if (const auto* pair = std::get_if<std::shared_ptr<const Pair>>(&entry)) result = rows_->put(**pair);
        if (const auto* run = std::get_if<RunStart>(&entry)) result = rows_->put(*run);
        if (const auto* pass = std::get_if<PassRow>(&entry)) result = rows_->put(*pass);
        if (const auto* mark = std::get_if<DecisionMark>(&entry)) result = rows_->put(*mark);
    }
    if (result) result = rows_->commit(batch.sync ? "writing and syncing a transaction" : "writing a transaction");
    if (!result && ::sqlite3_get_autocommit(db_->handle()) == 0) (void)db_->run("ROLLBACK", "rolling back");
    return result;
}

// SQLite's own automatic checkpoints would keep the waiters waiting, and would hide a failed sync of the database.
void GroupCommit::checkpoint(std::unique_lock<std::mutex>& lock) {
    writing_ = true;
    lock.unlock();
    // A reader only makes it copy less, and is given as many frames of time again.
    auto copied = copy_write_ahead_log(*db_);
    lock.lock();
    writing_ = false;
    checkpoint_at_ = frames_ + kCheckpointFrames;
    if (!copied) fail_locked(std::move(copied.error()));
}

/// Nobody knows what the disk has: nothing is written any more, and nobody waits any longer.
void GroupCommit::fail_locked(Error error) {
    failed_ = true;
    (void)break_locked(std::move(error));
    work_.notify_one();
    open_->end.set(static_cast<int>(End::failed));
}

/// A finished pair is in the database now, and need not be kept in memory; an open one will be asked for again in a moment.
void GroupCommit::forget_committed(const Batch& batch) {
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
        const auto* pair = std::get_if<std::shared_ptr<const Pair>>(&batch.entries[i]);
        if (pair == nullptr || is_open((*pair)->state)) continue;
        const auto known = recent_.find(pair_key((*pair)->item_key, (*pair)->step));
        if (known != recent_.end() && known->second.number == batch.first + i) recent_.erase(known);
    }
}

}  // namespace lockstep
