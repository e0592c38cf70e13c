#include "run/exec_locks.hpp"

#include <algorithm>
#include <ranges>
#include <tuple>

#include "base/exit_status.hpp"
#include "lock/nested_use.hpp"
#include "run/command_line.hpp"
#include "run/run_id.hpp"
#include "sys/enclosing_runs.hpp"
#include "sys/log.hpp"

namespace lockstep {

void exec_say(std::string_view name, const std::string& line) {
    log::write_now(STDERR_FILENO, "lockstep: " + std::string(name) + ": " + line + "\n");
}

std::optional<int> ExecLocks::acquire(int wake_fd) {
    begun_ = monotonic_now();
    run_id_ = make_run_id().view();
    if (auto opened = open_paths(); !opened) return give_up(opened.error());
    if (auto others = refuse_what_is_ours(); !others) return give_up(others.error());
    for (const Wanted& wanted : wanted_) {
        at_ = wanted.name;
        if (auto taken = take(wanted, wake_fd); !taken) return give_up(taken.error());
    }
    return std::nullopt;
}

void ExecLocks::go_on_with(const ExecProgress& progress) {
    at_ = options_.locks.front();
    LockPath path = LockPath::of_parent(at_, UniqueFd(progress.parent));
    paths_ = path.text();
    held_.push_back(DirectoryLock::taken(std::move(path), UniqueFd(progress.directory), UniqueFd(progress.record)));
    run_id_ = held_.front().record().run_id;
}

Result<void> ExecLocks::open_paths() {
    const auto place = [](const Wanted& wanted) { return std::tie(wanted.device, wanted.parent, wanted.path.name()); };
    for (const char* name : options_.locks) {
        at_ = name;
        auto path = LockPath::open(name);
        if (!path) return std::unexpected(std::move(path.error()));
        struct stat parent{};
        if (options_.locks.size() > 1 && ::fstat(path->parent_fd(), &parent) != 0) {
            return os_error(Failure::lock, path->text() + ": looking at its directory");
        }
        Wanted wanted{name, std::move(*path), parent.st_dev, parent.st_ino};
        if (std::ranges::find(wanted_, place(wanted), place) != wanted_.end()) continue;  // the same one, however it is spelt
        if (!paths_.empty()) paths_ += ':';
        paths_ += wanted.path.text();
        wanted_.push_back(std::move(wanted));
    }
    std::ranges::sort(wanted_, {}, place);
    return {};
}

/// All of them before any is taken: who waits for another lock first would be told late.
Result<void> ExecLocks::refuse_what_is_ours() const {
    const std::string_view runs = enclosing_runs();
    if (runs.empty()) return {};
    for (const Wanted& wanted : wanted_) {
        if (auto other = refuse_nested_use(wanted.path, runs); !other) return other;
    }
    return {};
}

Result<void> ExecLocks::take(const Wanted& wanted, int wake_fd) {
    LockRecord record;
    record.run_id = run_id_;
    record.job = wanted.path.name();
    record.guardian_pid = ::getpid();
    record.front_pid = ::getppid();
    record.command = command_line(options_.argv).view();

    const MonotonicTime begun = held_.empty() ? begun_ : monotonic_now();
    std::string holder;
    LockWait wait;
    wait.limit = options_.wait;
    if (wait.limit) wait.limit = std::max(Millis{0}, *wait.limit - std::chrono::duration_cast<Millis>(begun - begun_));
    wait.wake_fd = wake_fd;
    if (wait.limit != Millis{0}) {
        wait.on_wait = [&](const std::string& who) {
            holder = who;
            if (!options_.quiet) exec_say(wanted.name, "waiting: " + who);
        };
    }
    auto lock = DirectoryLock::acquire(wanted.path, record, wait, options_.mode);
    if (!lock) return std::unexpected(std::move(lock.error()));
    if (const auto& dead = lock->adopted(); dead && !options_.quiet) {
        exec_say(wanted.name, "took over what " + describe_dead_run(dead->record) + " left behind");
    }
    if (options_.verbose) {
        const auto waited = std::chrono::duration_cast<Millis>(monotonic_now() - begun);
        exec_say(wanted.name, holder.empty() ? "taken after " + std::to_string(waited.count()) + " ms, without a wait"
                                             : "taken after a wait of " + std::to_string(waited.count()) + " ms for " + holder);
    }
    held_.push_back(std::move(*lock));
    return {};
}

std::vector<int> ExecLocks::lend_records() {
    std::vector<int> records;
    for (DirectoryLock& lock : held_) records.push_back(lock.lend_record());
    return records;
}

void ExecLocks::note_stopping(const std::string& by) {
    for (DirectoryLock& lock : held_) {
        LockRecord record = lock.record();
        record.stopping_since_ms = wall_now_ms();
        record.stopping_by = by;
        (void)lock.update(record);  // for people only: a full disk is no reason to say anything here
    }
}

void ExecLocks::release() {
    for (DirectoryLock& lock : std::views::reverse(held_)) {
        const auto released = lock.release();
        // What is wrong with a place is said beginning with the place.
        if (!released) log::write_now(STDERR_FILENO, "lockstep: " + released.error().text + "\n");
    }
    held_.clear();
}

int ExecLocks::give_up(const Error& error) {
    release();
    if (error.failure == Failure::busy) {
        if (!options_.quiet) exec_say(at_, error.text);
        return options_.busy_status;
    }
    // What is wrong with a place is said beginning with the place.
    if (error.failure != Failure::stopped) log::write_now(STDERR_FILENO, "lockstep: " + error.text + "\n");
    return to_int(exit_status_of(error.failure));
}

}  // namespace lockstep
