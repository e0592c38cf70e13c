#include "lock/lock_view.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "lock/directory_lock.hpp"
#include "lock/orphaned_commands.hpp"

namespace lockstep {

namespace {

/// A hint that proves only presence: from another pid namespace nothing is seen in /proc/locks.
bool stands_in_proc_locks(const struct stat& info) {
    std::array<char, 64> wanted{};
    std::snprintf(wanted.data(), wanted.size(), " %02x:%02x:%llu ", ::major(info.st_dev), ::minor(info.st_dev),
                  static_cast<unsigned long long>(info.st_ino));
    const UniqueFd file(::open("/proc/locks", O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 16384> buffer{};
    ssize_t length = 0;
    while (file && (length = ::read(file.get(), buffer.data(), buffer.size())) > 0)
        text.append(buffer.data(), static_cast<std::size_t>(length));
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = std::string_view(text).substr(at, end - at);
        // "->" marks one who waits.
        if (line.find(wanted.data()) != std::string_view::npos && line.find(" FLOCK ") != std::string_view::npos &&
            line.find("->") == std::string_view::npos)
            return true;
        at = end + 1;
    }
    return false;
}

void judge_record(LockView& view, int directory, const struct stat& info) {
    const LockRecord& record = *view.record;
    LockRecord self;
    fill_in_self(self);
    const std::string holder = describe_holder(record);
    const bool same_boot = record.boot_id == self.boot_id;
    const bool same_pids = same_boot && record.pid_namespace == self.pid_namespace;
    if ((same_pids && is_same_process(record.guardian_pid, record.guardian_start)) || stands_in_proc_locks(info)) {
        view.state = LockState::held;
        view.text = "held by " + holder;
    } else if (same_boot && !same_pids) {
        view.state = LockState::unknown;
        view.text = "unknown: its record is of another container or pid namespace, host " + record.host + " (" + holder + ")";
    } else {
        view.state = LockState::left_behind;
        view.text = "left behind by run " + record.run_id + " (" + holder + "); the next run takes it over";
        if (!same_boot) {
            view.text += "; the machine was started anew since then";
        } else if (const std::string command = describe_command_at_work(directory); !command.empty()) {
            view.text += " when this ends: " + command;
        }
    }
}

void judge(LockView& view, int directory) {
    struct stat info{};
    if (::fstat(directory, &info) != 0) {
        view.text = "unknown: " + errno_text(errno);
        return;
    }
    view.record = read_lock_record(directory);
    if (view.record) return judge_record(view, directory, info);
    if ((info.st_mode & S_ISVTX) == 0) {
        view.state = LockState::foreign;
        view.text = "made by something else than lockstep, such as a script's mkdir: held until it is removed";
    } else if (stands_in_proc_locks(info)) {
        view.state = LockState::held;
        view.text = "held by a process that has written no record yet";
    } else {
        view.text = "unknown: there is no record in it; either it is changing hands, or its run died at such a moment";
    }
}

}  // namespace

std::string_view to_string(LockState state) {
    switch (state) {
        case LockState::free: return "free";
        case LockState::held: return "held";
        case LockState::left_behind: return "left-behind";
        case LockState::foreign: return "foreign";
        case LockState::unknown: return "unknown";
    }
    return "";
}

LockView look_at_lock(const std::string& name_or_path) {
    LockView view{.state = LockState::unknown, .path = name_or_path, .record = {}, .text = ""};
    const auto path = LockPath::open(name_or_path);
    if (!path) {
        view.text = "unknown: " + path.error().text;
        return view;
    }
    view.path = path->text();
    const UniqueFd directory(
        ::openat(path->parent_fd(), path->name().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (directory) {
        judge(view, directory.get());
    } else if (errno == ENOENT) {
        view.state = LockState::free;
        view.text = "free";
    } else if (errno == ENOTDIR || errno == ELOOP) {
        view.state = LockState::foreign;
        view.text = "no lock: something that is no directory lies there";
    } else {
        view.text = "unknown: " + errno_text(errno);
    }
    return view;
}

}  // namespace lockstep
