#include "lock/lock_view.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "lock/directory_lock.hpp"
#include "lock/lock_attempt.hpp"
#include "lock/lock_steps.hpp"
#include "lock/orphaned_commands.hpp"
#include "lock/readers.hpp"
#include "lock/standpoint.hpp"
#include "lock/standstill.hpp"

namespace lockstep {

namespace {

std::string in_kernel(const KernelLocks& locks) {
    return locks.holders.front() > 0 ? "pid " + std::to_string(locks.holders.front()) : "a process";
}

/// One that only the kernel's list tells of.
void judge_standstill_of_kernels(LockView& view) {
    if (view.pid <= 0) return;
    view.is_stopped = is_stopped(view.pid);
    if (const std::string still = describe_standstill(view.pid); !still.empty()) view.text += "; " + still;
}

bool find_orphan(LockView& view, int directory) {
    CommandAtWork command = find_command_at_work(directory);
    view.orphan = std::move(command.text);
    view.orphan_pid = command.pid;
    return view.orphan_pid > 0;
}

/// Its process is dead, and yet somebody has the flock: a run that takes over, perhaps after the dead one's last command.
void judge_taken_over(LockView& view, int directory) {
    view.state = LockState::held;
    view.pid = view.kernel.holders.front();
    view.is_taken_over = true;
    view.text = in_kernel(view.kernel) + " is taking it over from run " + view.record->run_id + ", which has died";
    if (find_orphan(view, directory)) view.text += ", when this ends: " + view.orphan;
    judge_standstill_of_kernels(view);
}

void judge_left_behind(LockView& view, int directory, const std::string& holder, bool same_boot) {
    view.state = LockState::left_behind;
    view.text = "left behind by run " + view.record->run_id + " (" + holder + "); the next run takes it over";
    if (!same_boot) {
        view.text += "; the machine was started anew since then";
    } else {
        if (find_orphan(view, directory)) view.text += " when this ends: " + view.orphan;
    }
}

void judge_record(LockView& view, int directory) {
    const Standpoint here;
    const LockRecord& record = *view.record;
    const std::string holder = describe_holder(record);
    const bool flocked = !view.kernel.holders.empty();
    // That of another pid namespace means another process here, or none; the kernel tells the holder's own in ours.
    view.pid = here.same_pids(record) || !here.same_boot(record) ? pid_to_show(record)
               : flocked                                         ? view.kernel.holders.front()
                                                                 : 0;
    if (here.lives(record) || (flocked && !here.is_dead(record))) {
        view.state = LockState::held;
        view.text = "held by " + holder;
        view.is_stopped = is_stopped(record);
    } else if (flocked) {
        judge_taken_over(view, directory);
    } else if (here.is_dead(record)) {
        judge_left_behind(view, directory, holder, here.same_boot(record));
    } else {
        view.state = LockState::unknown;
        view.text = here.same_boot(record) ? "unknown: its record is of host " + record.host + ": " + holder
                                           : "unknown: its record is damaged, and does not tell who holds it";
        if (find_orphan(view, directory)) view.text += "; at work under it: " + view.orphan;
    }
}

/// @param all  at least one
void judge_readers(LockView& view, int directory, std::vector<LockRecord> all) {
    const Standpoint here;
    // Those of whom it cannot be told count as alive as long as somebody holds the lock.
    std::ranges::copy_if(all, std::back_inserter(view.readers), [&](const LockRecord& reader) {
        return here.lives(reader) || (!view.kernel.holders.empty() && !here.is_dead(reader));
    });
    if (view.readers.empty()) {
        view.record = all.front();
        view.readers = std::move(all);
        return judge_record(view, directory);
    }
    view.state = LockState::shared;
    view.record = view.readers.front();
    view.pid = pid_to_show(*view.record);
    view.text = "shared by " + describe_readers(view.readers);
    for (const LockRecord& reader : view.readers) {
        const auto stopped = is_stopped(reader);
        if (stopped && !view.is_stopped.value_or(false)) view.is_stopped = stopped;
    }
    std::ranges::copy_if(all, std::back_inserter(view.dead_readers),
                         [&](const LockRecord& reader) { return here.is_dead(reader); });
    if (!view.dead_readers.empty() && find_orphan(view, directory)) view.text += "; and " + view.orphan;
}

void judge_without_record(LockView& view, const struct stat& info) {
    if ((info.st_mode & S_ISVTX) == 0) {
        view.state = LockState::foreign;
        view.text = "made by something else than lockstep, such as a script's mkdir: held until it is removed";
    } else if (!view.kernel.holders.empty()) {
        view.state = LockState::held;
        view.pid = view.kernel.holders.front();
        view.text = "held by " + in_kernel(view.kernel) + ", which has written no record yet";
        judge_standstill_of_kernels(view);
    } else if (view.kernel.marks > 0 || !view.kernel.waiters.empty()) {
        view.state = LockState::waiting;
        view.text = "free, but waited for: it is changing hands, or the one whose turn it is was stopped";
    } else if (!view.strange_files.empty()) {
        view.text = "unknown: no run is in it, but somebody's files: " + view.strange_files;
    } else if (view.has_empty_record) {
        view.text = "unknown: its record is empty; a run is writing it, or died or lost its power at such a moment";
    } else {
        view.text = "unknown: there is no record in it; either it is changing hands, or its run died at such a moment";
    }
}

/// openat(2) refused it: another user's. What stat(2) and the kernel's list tell is all that can be known.
void judge_closed(LockView& view, const struct stat& info, int error) {
    const std::string whose = "uid " + std::to_string(info.st_uid);
    if (S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) == 0) {
        judge_without_record(view, info);
    } else if (!view.kernel.holders.empty()) {
        view.state = LockState::held;
        view.pid = view.kernel.holders.front();
        view.text = "held by " + in_kernel(view.kernel) + " of " + whose + ", which alone may read its record";
        judge_standstill_of_kernels(view);
    } else {
        view.text = "unknown: it is of " + whose + ", and cannot be looked into (" + errno_text(error) + ")";
    }
}

/// A file, perhaps flock(1)'s.
void judge_no_directory(LockView& view, const LockPath& path) {
    view.state = LockState::foreign;
    view.text = "no lock: something that is no directory lies there";
    struct stat info{};
    const bool seen = ::fstatat(path.parent_fd(), path.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    view.problem = Error{Failure::lock,
                         path.shown() + " is " + (seen ? kind_of_file(path, info) : "no directory") +
                             ", not a lock directory: nothing of lockstep's, which leaves it alone",
                         0};
}

void judge_place(LockView& view, const LockPath& path, const KernelLockTable& table) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const UniqueFd directory(::openat(path.parent_fd(), path.name().c_str(), kFlags));
    const int error = directory ? 0 : errno;
    if (error == ENOENT) {
        view.state = LockState::free;
        view.text = "free";
        return;
    }
    if (error == ENOTDIR || error == ELOOP) return judge_no_directory(view, path);
    if (error == EMFILE || error == ENFILE) {
        view.text = "unknown: it cannot be looked into (" + errno_text(error) + ")";
        view.problem = fail(Failure::os, path.shown() + ": looking into it: " + errno_text(error), error).error();
        return;
    }
    struct stat info{};
    if (directory ? ::fstat(directory.get(), &info) != 0
                  : ::fstatat(path.parent_fd(), path.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        view.text = "unknown: " + errno_text(errno);
        return;
    }
    view.owner = info.st_uid;
    view.changed_ms = std::int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
    if (info.st_uid == ::geteuid() && kind_of_directory(info) == DirectoryKind::for_others) {
        view.text = "unknown: a directory that others may use, not a lock";
        view.problem = Error{Failure::lock, path.shown() + " is a directory that others may use, not a lock", 0};
        return;
    }
    view.kernel = table.of(info);
    if (!directory) return judge_closed(view, info, error);
    view.record = read_lock_record(directory.get());
    if (view.record && view.record->passed_on) view.record.reset();  // of a run that is done
    view.has_empty_record = view.record && view.record->run_id.empty();
    if (view.has_empty_record) view.record.reset();
    if (view.record) return judge_record(view, directory.get());
    if (auto readers = read_readers(directory.get()); !readers.empty()) {
        return judge_readers(view, directory.get(), std::move(readers));
    }
    view.strange_files = list_contents(directory.get());
    judge_without_record(view, info);
}

}  // namespace

std::string_view to_string(LockState state) {
    switch (state) {
        case LockState::free: return "free";
        case LockState::held: return "held";
        case LockState::shared: return "shared";
        case LockState::waiting: return "waiting";
        case LockState::left_behind: return "left-behind";
        case LockState::foreign: return "foreign";
        case LockState::unknown: return "unknown";
    }
    return "";
}

std::optional<std::size_t> LockView::waiters() const {
    if (state == LockState::foreign) return std::nullopt;
    return std::max(kernel.marks, kernel.waiters.size());
}

LockView look_at_lock(const std::string& name_or_path) { return look_at_lock(name_or_path, KernelLockTable()); }

LockView look_at_lock(const std::string& name_or_path, const KernelLockTable& table) {
    LockView view;
    view.state = LockState::unknown;
    view.path = name_or_path;
    const auto path = LockPath::open_to_look(name_or_path);
    if (!path) {
        view.text = "unknown: " + path.error().text;
        view.problem = path.error();
        return view;
    }
    view.path = path->text();
    judge_place(view, *path, table);
    return view;
}

}  // namespace lockstep
