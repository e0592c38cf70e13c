#include "lock/orphaned_commands.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "lock/kernel_locks.hpp"
#include "lock/lock_attempt.hpp"
#include "lock/lock_record.hpp"
#include "lock/lock_steps.hpp"
#include "lock/readers.hpp"
#include "lock/standpoint.hpp"

namespace lockstep {

namespace {

bool is_command_mark(std::string_view name) {
    return name.size() > 2 && name.starts_with("c.") && name.find_first_not_of("0123456789", 2) == std::string_view::npos;
}

/// Stays to be adopted in place; the others go when their runs are dead.
bool is_record(std::string_view name) { return name == kRecordName; }

/// What is under flock as long as somebody is at work; under the directory's exclusive flock that is an orphan.
bool is_mark(std::string_view name) { return is_command_mark(name) || is_reader_name(name) || is_record(name); }

/// The first number in the mark's text is the command's pid.
pid_t pid_in(int mark_fd) {
    std::array<char, 256> buffer{};
    const ssize_t length = ::pread(mark_fd, buffer.data(), buffer.size(), 0);
    const std::string_view text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    const std::size_t digit = std::min(text.find_first_of("0123456789"), text.size());
    pid_t pid = 0;
    std::from_chars(text.data() + digit, text.data() + text.size(), pid);
    return pid;
}

/// What is written in the /proc/self/fdinfo of a descriptor that has an flock (proc(5)): not of one that waits for it.
bool has_flock(const std::string& fdinfo) {
    const UniqueFd file(::open(fdinfo.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 1024> buffer{};
    const ssize_t length = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
    return std::string_view(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0).contains("FLOCK");
}

bool keeps_flock_on(const std::string& process, const struct stat& mark) {
    const UniqueFd descriptors(::open((process + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto names = descriptors ? directory_entries(descriptors.get()) : Result<std::vector<std::string>>();
    return names && std::ranges::any_of(*names, [&](const std::string& name) {
               struct stat info{};
               return ::fstatat(descriptors.get(), name.c_str(), &info, 0) == 0 && info.st_ino == mark.st_ino &&
                      info.st_dev == mark.st_dev && has_flock(process + "/fdinfo/" + name);
           });
}

/// A process that a command which has ended left running, and which keeps its mark. 0: none that /proc shows to us.
pid_t heir_of(int mark_fd) {
    struct stat mark{};
    const UniqueFd processes(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto names =
        processes && ::fstat(mark_fd, &mark) == 0 ? directory_entries(processes.get()) : Result<std::vector<std::string>>();
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
        const bool is_process = name.find_first_not_of("0123456789") == std::string::npos;
        if (is_process && keeps_flock_on("/proc/" + name, mark)) return static_cast<pid_t>(std::atoi(name.c_str()));
    }
    return 0;
}

/// Who has the flock, as the kernel says: whoever took it, though others have inherited it. 0: nobody, or nobody knows.
pid_t holder_of(int record_fd) {
    struct stat info{};
    if (::fstat(record_fd, &info) != 0) return 0;
    const KernelLocks locks = KernelLockTable().of(info);
    return locks.holders.empty() ? 0 : locks.holders.front();
}

CommandAtWork at_work(std::string_view name, int mark_fd) {
    const pid_t known = is_command_mark(name) ? pid_in(mark_fd) : holder_of(mark_fd);
    const pid_t pid = is_same_process(known, 0) ? known : heir_of(mark_fd);
    if (pid == 0) return {};
    // A command leads its process group. Where /proc/locks has other numbers for a file than stat(2) (an overlay of several
    // file systems), that is all that tells it from its children.
    const bool is_command = pid == known || ::getpgid(pid) == pid;
    return {pid,
            "pid " + std::to_string(pid) + (is_command ? ", " : ", started by ") + "a command that a killed run left at work"};
}

CommandAtWork at_work_in(int directory_fd, const std::string& name) {
    const UniqueFd file(::openat(directory_fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    return file ? at_work(name, file.get()) : CommandAtWork{};
}

}  // namespace

Result<std::vector<std::string>> directory_entries(int directory_fd) {
    std::vector<std::string> names;
    alignas(dirent64) std::array<char, 2048> buffer{};
    ssize_t length = ::lseek(directory_fd, 0, SEEK_SET) == 0 ? 1 : -1;
    while (length > 0 && (length = ::getdents64(directory_fd, buffer.data(), buffer.size())) > 0) {
        for (ssize_t at = 0; at < length;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
            at += entry->d_reclen;
        }
    }
    if (length < 0) return os_error(Failure::lock, "reading the lock directory");
    std::ranges::sort(names);
    return names;
}

Result<OrphanedCommand> clear_command_marks(int directory_fd) {
    auto names = directory_entries(directory_fd);
    if (!names) return std::unexpected(std::move(names.error()));
    for (const std::string& name : *names) {
        if (!is_mark(name)) continue;
        constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        UniqueFd file(::openat(directory_fd, name.c_str(), kFlags));
        // Made under a umask of 0777: its flock counts all the same.
        if (!file && errno == EACCES && make_usable(directory_fd, name, S_IFREG, 0600)) {
            file.reset(::openat(directory_fd, name.c_str(), kFlags));
        }
        if (!file && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) continue;
        if (!file) return os_error(Failure::lock, "opening " + name + " in the lock directory");
        // Free: nobody can take it any more, for only its heirs have the descriptor.
        if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) continue;
        CommandAtWork command = at_work(name, file.get());
        if (command.pid == 0) command.text = "a command that a killed run left at work";
        return OrphanedCommand{std::move(file), std::move(command.text)};
    }
    for (const std::string& name : *names) {
        if (is_mark(name) && !is_record(name) && ::unlinkat(directory_fd, name.c_str(), 0) != 0 && errno != ENOENT)
            return os_error(Failure::lock, "removing " + name + ", which a killed run left in the lock directory");
    }
    return OrphanedCommand{};
}

CommandAtWork find_command_at_work(int directory_fd) {
    const auto names = directory_entries(directory_fd);
    if (!names) return {};
    const Standpoint here;
    for (const std::string& name : *names) {
        if (!is_mark(name)) continue;
        const auto reader = is_reader_name(name) ? read_lock_record(directory_fd, name) : std::nullopt;
        if (reader && !here.is_dead(*reader)) continue;
        CommandAtWork command = at_work_in(directory_fd, name);
        if (command.pid > 0) return command;
    }
    return {};
}

CommandAtWork find_command_of_reader(int directory_fd, std::string_view run_id) {
    return is_good_for_a_name(run_id) ? at_work_in(directory_fd, reader_name(run_id)) : CommandAtWork{};
}

std::string list_contents(int directory_fd) {
    auto names = directory_entries(directory_fd);
    if (!names) return "unknown files";
    std::erase(*names, kRecordName);
    std::string list;
    for (std::size_t i = 0; i < names->size() && i < 5; ++i) list += (i > 0 ? ", " : "") + printable((*names)[i], 60);
    return names->size() > 5 ? list + " and " + std::to_string(names->size() - 5) + " more" : list;
}

}  // namespace lockstep
