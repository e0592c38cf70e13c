#include "journal/sqlite_journal.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "journal/group_commit.hpp"
#include "journal/open_database.hpp"
#include "journal/run_lock.hpp"
#include "journal/state_directory.hpp"
#include "journal/told_table.hpp"
#include "sys/log.hpp"

namespace lockstep {
namespace {

class SqliteJournal final : public Journal {
  public:
    static Result<std::unique_ptr<Journal>> open(const std::string& path, PidFileLock run_lock,
                                                 const std::optional<PruneRules>& prune);
    ~SqliteJournal() override;

    Result<void> begin_run(const RunStart& run) override;
    Result<void> end_pass(const std::string& run_id, std::int64_t pass, const PassTotals& totals,
                          const std::string& ended_because) override;
    Result<std::optional<Pair>> find(const std::string& item_key, const std::string& step) override;
    Result<void> write(const Pair& pair, Durability durability) override;
    Result<std::vector<Decision>> pending_decisions() override;
    Result<void> apply(const Decision& decision, const Pair* pair, const std::string& outcome) override;
    Result<std::vector<Pair>> pairs_of(const std::string& item_key) override;
    Result<std::vector<UnfinishedPair>> unfinished() override;
    Result<std::vector<Pair>> open_on_record() override;
    Digests told_records() override;
    void keep_told_records(Digests digests) override;
    Result<void> flush() override;
    Result<void> close() override;

  private:
    SqliteJournal(const std::string& path, PidFileLock run_lock, SqliteDb writer, SqliteDb reader)
        : path_(path), run_lock_(std::move(run_lock)), writer_db_(std::move(writer)), reader_db_(std::move(reader)) {}
    Result<void> start();
    Result<void> wait_committed();
    Result<std::optional<Pair>> read(const std::string& item_key, const std::string& step);
    Result<PairState> state_on_record(std::unique_lock<std::mutex>& lock, const Pair& pair, const std::string& key);
    Result<void> close_databases(bool healthy);
    Error closed_error() const { return {Failure::journal, fmt::format("journal {}: it is closed already", path_)}; }

    const std::string path_;
    std::optional<PidFileLock> run_lock_;  // outlives the connections
    std::optional<SqliteDb> writer_db_;
    std::optional<PairWriter> rows_;
    std::mutex reader_mutex_;
    std::optional<SqliteDb> reader_db_;
    std::optional<PairReader> reader_;
    std::optional<GroupCommit> commits_;
    /// What find() has read of pairs that are about to be written, so that write() need not read it again. Guarded by
    /// commits_->mutex().
    std::unordered_map<std::string, PairState> found_;
    std::optional<Digests> told_;  // to be kept at close()
    bool closed_ = false;
};

Result<std::unique_ptr<Journal>> SqliteJournal::open(const std::string& path, PidFileLock run_lock,
                                                     const std::optional<PruneRules>& prune) {
    auto writer = open_for_writing(path);
    if (!writer) return std::unexpected(std::move(writer.error()));
    if (prune) {
        if (auto pruned = prune_if_due(*writer, *prune); !pruned) return std::unexpected(std::move(pruned.error()));
    }
    auto reader = SqliteDb::open(path);
    if (!reader) return std::unexpected(std::move(reader.error()));
    if (auto set = reader->run("PRAGMA query_only = 1", "setting it up"); !set) return std::unexpected(std::move(set.error()));
    std::unique_ptr<SqliteJournal> journal(
        new SqliteJournal(path, std::move(run_lock), std::move(*writer), std::move(*reader)));
    if (auto started = journal->start(); !started) return std::unexpected(std::move(started.error()));
    return journal;
}

Result<void> SqliteJournal::start() {
    auto rows = PairWriter::create(*writer_db_);
    if (!rows) return std::unexpected(std::move(rows.error()));
    rows_ = std::move(*rows);
    auto reader = PairReader::create(*reader_db_);
    if (!reader) return std::unexpected(std::move(reader.error()));
    reader_ = std::move(*reader);
    try {
        commits_.emplace(*writer_db_, *rows_);
    } catch (const std::system_error& problem) {
        return fail(Failure::os, fmt::format("journal {}: starting its thread: {}", path_, problem.what()),
                    problem.code().value());
    }
    return {};
}

SqliteJournal::~SqliteJournal() {
    bool sound = true;  // an error that a call has returned already is not told twice
    if (commits_) {
        const std::lock_guard lock(commits_->mutex());
        sound = commits_->check_locked().has_value();
    }
    if (const auto ended = close(); !ended && sound) log::error("{}", ended.error().text);
}

Result<void> SqliteJournal::begin_run(const RunStart& run) {
    const std::lock_guard lock(commits_->mutex());
    if (auto sound = commits_->check_locked(); !sound) return sound;
    commits_->enqueue_locked(run);
    return {};
}

// Synced, so that the last `done` of a pass does not wait for the next pass to be safe from a power cut.
Result<void> SqliteJournal::end_pass(const std::string& run_id, std::int64_t pass, const PassTotals& totals,
                                     const std::string& ended_because) {
    std::unique_lock lock(commits_->mutex());
    if (auto sound = commits_->check_locked(); !sound) return sound;
    const std::uint64_t number = commits_->enqueue_locked(PassRow{run_id, pass, wall_now_ms(), totals, ended_because});
    return commits_->wait_locked(lock, number, Durability::synced);
}

Result<std::optional<Pair>> SqliteJournal::read(const std::string& item_key, const std::string& step) {
    const std::lock_guard lock(reader_mutex_);
    if (!reader_) return std::unexpected(closed_error());  // since the caller looked
    return reader_->find(item_key, step);
}

Result<std::optional<Pair>> SqliteJournal::find(const std::string& item_key, const std::string& step) {
    std::string key = pair_key(item_key, step);
    {
        const std::lock_guard lock(commits_->mutex());
        if (auto sound = commits_->check_locked(); !sound) return std::unexpected(std::move(sound.error()));
        if (const auto recent = commits_->recent_locked(key)) return *recent;
    }
    auto found = read(item_key, step);
    const PairState state = found && *found ? (*found)->state : PairState::pending;
    if (found && state != PairState::done) {
        constexpr std::size_t kMany = 1024;  // most are written, and gone from here, within a moment
        const std::lock_guard lock(commits_->mutex());
        if (found_.size() >= kMany) found_.clear();
        found_[std::move(key)] = state;
    }
    return found;
}

/// With the lock held, which is given up to read.
Result<PairState> SqliteJournal::state_on_record(std::unique_lock<std::mutex>& lock, const Pair& pair, const std::string& key) {
    const auto found = found_.extract(key);
    if (const auto recent = commits_->recent_locked(key)) return recent->state;
    if (!found.empty()) return found.mapped();
    lock.unlock();  // nobody else writes this pair meanwhile: a pair is one worker's
    auto on_record = read(pair.item_key, pair.step);
    lock.lock();
    if (!on_record) return std::unexpected(std::move(on_record.error()));
    return *on_record ? (*on_record)->state : PairState::pending;
}

Result<void> SqliteJournal::write(const Pair& pair, Durability durability) {
    const std::string key = pair_key(pair.item_key, pair.step);
    auto copy = std::make_shared<const Pair>(pair);

    std::unique_lock lock(commits_->mutex());
    if (auto sound = commits_->check_locked(); !sound) return sound;
    auto before = state_on_record(lock, pair, key);
    if (!before) return commits_->break_locked(std::move(before.error()));
    if (!may_follow(*before, pair.state)) {
        return commits_->break_locked(
            Error{Failure::journal,
                  fmt::format(
                      "journal {}: item {}, step {}: \"{}\" may not follow \"{}\"; this is a bug of lockstep, and ends the run",
                      path_, printable(pair.item_key), pair.step, to_string(pair.state), to_string(*before))});
    }
    const std::uint64_t number = commits_->enqueue_locked(std::move(copy));
    if (durability == Durability::ordered && !commits_->is_full_locked()) return {};
    return commits_->wait_locked(lock, number, durability);
}

Result<void> SqliteJournal::wait_committed() {
    std::unique_lock lock(commits_->mutex());
    if (auto sound = commits_->check_locked(); !sound) return sound;
    return commits_->wait_locked(lock, commits_->last_locked(), Durability::ordered);
}

Result<std::vector<UnfinishedPair>> SqliteJournal::unfinished() {
    if (auto committed = wait_committed(); !committed) return std::unexpected(std::move(committed.error()));
    const std::lock_guard lock(reader_mutex_);
    if (!reader_) return std::unexpected(closed_error());
    return reader_->unfinished_in_brief();
}

Result<std::vector<Pair>> SqliteJournal::open_on_record() {
    (void)wait_committed();  // where that fails, the database shows what it has nevertheless
    std::unique_lock reading(reader_mutex_);
    auto pairs = reader_ ? reader_->unfinished() : Result<std::vector<Pair>>(std::unexpected(closed_error()));
    reading.unlock();
    if (!pairs) return pairs;
    std::erase_if(*pairs, [](const Pair& pair) { return !is_open(pair.state); });
    const std::lock_guard lock(commits_->mutex());
    for (Pair& pair : *pairs) {
        if (const auto recent = commits_->recent_locked(pair_key(pair.item_key, pair.step))) pair = *recent;
    }
    return pairs;
}

Result<std::vector<Pair>> SqliteJournal::pairs_of(const std::string& item_key) {
    if (auto committed = wait_committed(); !committed) return std::unexpected(std::move(committed.error()));
    const std::lock_guard lock(reader_mutex_);
    if (!reader_) return std::unexpected(closed_error());
    return reader_->of_item(item_key);
}

Result<std::vector<Decision>> SqliteJournal::pending_decisions() {
    const std::lock_guard lock(reader_mutex_);
    if (!reader_) return std::unexpected(closed_error());
    return reader_->pending_decisions();
}

// Only the pass's own thread applies decisions, before any pair of theirs is in hand: what is on record is the newest.
Result<void> SqliteJournal::apply(const Decision& decision, const Pair* pair, const std::string& outcome) {
    DecisionMark mark{decision.id, wall_now_ms(), outcome, pair != nullptr ? std::make_shared<const Pair>(*pair) : nullptr};
    std::unique_lock lock(commits_->mutex());
    if (auto sound = commits_->check_locked(); !sound) return sound;
    if (pair != nullptr) found_.erase(pair_key(pair->item_key, pair->step));
    // Committed, for the next decision may be about the same pair.
    return commits_->wait_locked(lock, commits_->enqueue_locked(std::move(mark)), Durability::ordered);
}

Digests SqliteJournal::told_records() {
    const std::lock_guard lock(reader_mutex_);
    auto told = reader_db_ ? read_told_records(*reader_db_) : Result<Digests>(std::unexpected(closed_error()));
    if (told) return std::move(*told);
    log::debug("{}; it is told again", told.error().text);
    return {};
}

void SqliteJournal::keep_told_records(Digests digests) {
    const std::lock_guard lock(reader_mutex_);
    told_ = std::move(digests);
}

Result<void> SqliteJournal::flush() {
    std::unique_lock lock(commits_->mutex());
    if (auto sound = commits_->check_locked(); !sound) return sound;
    return commits_->wait_locked(lock, commits_->last_locked(), Durability::synced);
}

Result<void> SqliteJournal::close() {
    if (std::exchange(closed_, true)) return {};
    Result<void> result;
    if (commits_) {
        result = flush();
        commits_->stop();
        const std::lock_guard lock(commits_->mutex());
        (void)commits_->break_locked(closed_error());
    }
    const std::lock_guard lock(reader_mutex_);
    auto closed = close_databases(result.has_value());
    run_lock_.reset();
    return result ? closed : result;
}

/// @param healthy  false: nobody knows what the disk has, and the log stays as it is for the next run
Result<void> SqliteJournal::close_databases(bool healthy) {
    Result<void> result;
    if (healthy) result = copy_write_ahead_log(*writer_db_);
    // Only now that everything else is safe, for it must not cost anybody a run.
    if (healthy && result && told_) {
        if (auto kept = write_told_records(*writer_db_, *told_); !kept) log::debug("{}; it is told again", kept.error().text);
    }
    if (healthy && result) remove_write_ahead_log_at_close(*writer_db_);
    reader_.reset();
    reader_db_.reset();
    rows_.reset();
    writer_db_.reset();
    return result;
}

}  // namespace

Result<std::string> sqlite_journal_path(const SqliteJournalOptions& options) {
    if (!is_name(options.job)) {
        return fail(Failure::journal,
                    fmt::format("\"{}\" is no job's name: a journal cannot be named after it", printable(options.job)));
    }
    auto directory = options.state_directory.empty() ? default_state_directory() : Result<std::string>(options.state_directory);
    if (!directory) return directory;
    std::error_code failed;
    const auto absolute = std::filesystem::absolute(*directory, failed);
    if (failed) return os_error(Failure::journal, fmt::format("finding directory {}", *directory), failed.value());
    return (absolute / (options.job + ".sqlite3")).lexically_normal().native();
}

Result<std::unique_ptr<Journal>> open_sqlite_journal(const SqliteJournalOptions& options) {
    const auto path = sqlite_journal_path(options);
    if (!path) return std::unexpected(path.error());
    const std::filesystem::path directory = std::filesystem::path(*path).parent_path();
    if (auto made = prepare_state_directory(directory.native()); !made) return std::unexpected(std::move(made.error()));
    auto run_lock = take_run_lock(*path);
    if (!run_lock) return std::unexpected(std::move(run_lock.error()));
    return SqliteJournal::open(*path, std::move(*run_lock), options.prune);
}

}  // namespace lockstep
