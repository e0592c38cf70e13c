#include "lock/lock_attempt.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace lockstep {

namespace {

LockAttempt refuse(std::string text, int error = 0) {
    LockAttempt attempt;
    attempt.kind = LockAttempt::Kind::refused;
    attempt.error = fail(Failure::lock, std::move(text), error).error();
    return attempt;
}

std::string parent_of(const LockPath& path) {
    const std::string text = path.shown();
    return text.substr(0, std::max<std::size_t>(text.rfind('/'), 1));
}

LockAttempt refuse_mkdir(const LockPath& path, int error) {
    const std::string text = path.shown() + ": the lock directory cannot be made: ";
    const std::string elsewhere = std::string("hoose another place ") + path.ways_elsewhere();
    const std::string uid = "you (uid " + std::to_string(::geteuid()) + ")";
    switch (error) {
        case EACCES:
        case EPERM: return refuse(text + uid + " may not write in " + parent_of(path) + ". C" + elsewhere, error);
        case EROFS: return refuse(text + parent_of(path) + " is on a read-only file system. C" + elsewhere, error);
        case ENOENT: return refuse(text + parent_of(path) + " has been removed. Create it again", error);
        case ENAMETOOLONG: return refuse(text + "its name is too long. Choose a shorter one", error);
        case ENOSPC:
        case EDQUOT: return refuse(text + errno_text(error) + ". Free some space or c" + elsewhere, error);
        default: return refuse(text + errno_text(error), error);
    }
}

LockAttempt refuse_owner(const LockPath& path, uid_t owner) {
    return refuse(path.shown() + " is owned by uid " + std::to_string(owner) + ", not by you (uid " +
                      std::to_string(::geteuid()) + "): refusing to touch it. Choose another lock with --lock",
                  EACCES);
}

LockAttempt foreign(const struct stat& info) {
    LockAttempt attempt;
    attempt.kind = LockAttempt::Kind::foreign;
    attempt.foreign_text = "a directory made by another program (uid " + std::to_string(info.st_uid) + ") at " +
                           format_local(static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000) +
                           "; it counts as held until it is removed";
    return attempt;
}

/// What an opened directory is, apart from its lock; Kind::retry: ours.
LockAttempt judge(const LockPath& path, const struct stat& info) {
    switch (kind_of_directory(info)) {
        case DirectoryKind::another_uid: return refuse_owner(path, info.st_uid);
        case DirectoryKind::foreign: return foreign(info);
        case DirectoryKind::for_others:
            return refuse(
                path.shown() +
                    " is a directory that others may use, not a lock: refusing to touch it. Choose another lock with --lock",
                EEXIST);
        case DirectoryKind::ours: break;
    }
    return {};
}

/// openat(2) said EACCES: not ours, or made under an odd umask.
LockAttempt judge_unreadable(const LockPath& path) {
    struct stat info{};
    if (::fstatat(path.parent_fd(), path.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? LockAttempt{}
                               : refuse(path.shown() + ": looking at the lock directory: " + errno_text(errno), errno);
    }
    LockAttempt judged = judge(path, info);
    if (judged.kind != LockAttempt::Kind::retry) return judged;
    const bool odd_mode = (info.st_mode & 0700) != 0700;
    if (odd_mode && make_usable(path.parent_fd(), path.name(), S_IFDIR | S_ISVTX, kOurMode)) return {};
    return refuse(path.shown() + ": the lock directory cannot be opened: " + errno_text(EACCES), EACCES);
}

LockAttempt judge_not_a_directory(const LockPath& path, int error) {
    struct stat info{};
    if (::fstatat(path.parent_fd(), path.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(info.st_mode)) return {};
    return refuse(path.shown() + " is " + kind_of_file(path, info) +
                      ", not a lock directory: refusing to touch it. "
                      "Remove it, or name another lock",
                  error);
}

}  // namespace

std::string kind_of_file(const LockPath& path, const struct stat& info) {
    if (S_ISLNK(info.st_mode)) {
        std::array<char, 4096> target{};
        const ssize_t length = ::readlinkat(path.parent_fd(), path.name().c_str(), target.data(), target.size());
        struct stat behind{};
        const bool dangling = ::fstatat(path.parent_fd(), path.name().c_str(), &behind, 0) != 0;
        const std::string_view text(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
        return std::string(dangling ? "a dangling symbolic link to " : "a symbolic link to ") + printable(text);
    }
    if (S_ISFIFO(info.st_mode)) return "a fifo";
    if (S_ISSOCK(info.st_mode)) return "a socket";
    if (S_ISREG(info.st_mode)) return "a plain file";
    return "a device";
}

bool make_usable(int parent_fd, const std::string& name, mode_t required, mode_t mode) {
    const UniqueFd file(::openat(parent_fd, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!file || ::fstat(file.get(), &info) != 0 || info.st_uid != ::geteuid()) return false;
    if ((info.st_mode & required) != required || (info.st_mode & S_IFMT) != (required & S_IFMT)) return false;
    return ::chmod(("/proc/self/fd/" + std::to_string(file.get())).c_str(), mode) == 0;
}

LockAttempt attempt_lock(const LockPath& path, UniqueFd& spare, LockMode mode) {
    const int parent = path.parent_fd();
    const char* name = path.name().c_str();
    const bool created = ::mkdirat(parent, name, kOurMode) == 0;
    if (!created && errno != EEXIST) return refuse_mkdir(path, errno);

    DirectoryTry tried = try_directory(parent, name, mode);
    LockAttempt attempt;
    switch (tried.end) {
        case DirectoryTry::End::cannot_open:
            if (tried.error == ENOENT) return {};
            if (tried.error == EACCES) return judge_unreadable(path);
            if (tried.error == ENOTDIR || tried.error == ELOOP) return judge_not_a_directory(path, tried.error);
            if (created) undo_mkdir(parent, name, spare);
            return refuse(path.shown() + ": the lock directory cannot be opened: " + errno_text(tried.error), tried.error);
        case DirectoryTry::End::cannot_look:
            return refuse(path.shown() + ": looking at the lock directory: " + errno_text(tried.error), tried.error);
        case DirectoryTry::End::cannot_lock:
            return refuse(path.shown() + ": flock(2) on the lock directory: " + errno_text(tried.error), tried.error);
        case DirectoryTry::End::not_ours: return judge(path, tried.identity);
        case DirectoryTry::End::retry: return {};
        case DirectoryTry::End::busy: attempt.kind = LockAttempt::Kind::busy; break;
        case DirectoryTry::End::held: attempt.kind = LockAttempt::Kind::held; break;
        case DirectoryTry::End::writer_first: attempt.kind = LockAttempt::Kind::writer_first; break;
    }
    attempt.created = created && !tried.had_readers;
    attempt.directory = std::move(tried.directory);
    attempt.identity = tried.identity;
    return attempt;
}

}  // namespace lockstep
