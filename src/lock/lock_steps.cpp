#include "lock/lock_steps.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "lock/hand_over.hpp"

namespace lockstep {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr int kCreate = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

// statfs(2), linux/magic.h: ext2 to ext4, tmpfs, overlayfs, xfs, btrfs, zfs, f2fs, ramfs, bcachefs. A list of what is known to
// be local: flock on a directory of NFS, CIFS, FUSE, 9p or ceph may be a matter of this machine only, or of nobody.
constexpr std::array<unsigned long, 9> kLocalFileSystems = {0xEF53,     0x01021994, 0x794C7630, 0x58465342, 0x9123683E,
                                                            0x2FC12FC1, 0xF2F52010, 0x858458F6, 0xCA451A4E};

bool is_dots(std::string_view name) { return name == "." || name == ".."; }

DirectoryTry ended(DirectoryTry::End end, int error = 0) {
    DirectoryTry tried;
    tried.end = end;
    tried.error = error;
    return tried;
}

}  // namespace

std::string_view lock_root(const char* variable) { return variable != nullptr && *variable != '\0' ? variable : "/tmp"; }

std::optional<LockPlace> lock_place(std::string_view name_or_path, std::string_view root) {
    if (name_or_path.empty() || name_or_path.find('\0') != std::string_view::npos) return std::nullopt;
    if (name_or_path.find('/') == std::string_view::npos) {
        if (is_dots(name_or_path)) return std::nullopt;
        return LockPlace{root, name_or_path, ".lock"};
    }
    std::string_view path = name_or_path;
    while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
    const std::size_t slash = path.rfind('/');
    LockPlace place{".", path, ""};
    if (slash != std::string_view::npos) {
        place.parent = path.substr(0, std::max<std::size_t>(slash, 1));
        place.name = path.substr(slash + 1);
    }
    if (place.name.empty() || is_dots(place.name)) return std::nullopt;
    return place;
}

UniqueFd open_lock_parent(const char* parent) { return UniqueFd(::open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC)); }

bool others_may_replace_in(const struct stat& parent) {
    return (parent.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (parent.st_mode & S_ISVTX) == 0;
}

bool is_local_file_system(long f_type) {
    // f_type is signed on some machines: the magic number is its low 32 bits.
    const unsigned long magic = static_cast<unsigned long>(f_type) & 0xFFFFFFFFUL;
    return std::ranges::find(kLocalFileSystems, magic) != kLocalFileSystems.end();
}

DirectoryKind kind_of_directory(const struct stat& info) {
    if (info.st_uid != ::geteuid()) return DirectoryKind::another_uid;
    if ((info.st_mode & S_ISVTX) == 0) return DirectoryKind::foreign;
    // 01700 less the umask, with setgid where the parent has it: what others may use is /tmp or its like, never one of ours.
    return (info.st_mode & 0077) != 0 ? DirectoryKind::for_others : DirectoryKind::ours;
}

DirectoryTry try_directory(int parent_fd, const char* name, LockMode mode) {
    using End = DirectoryTry::End;
    DirectoryTry tried;
    tried.directory.reset(::openat(parent_fd, name, kOpenDirectory));
    if (!tried.directory) return ended(End::cannot_open, errno);
    if (::fstat(tried.directory.get(), &tried.identity) != 0) return ended(End::cannot_look, errno);
    tried.kind = kind_of_directory(tried.identity);
    if (tried.kind != DirectoryKind::ours) {
        tried.end = End::not_ours;
        return tried;
    }
    const bool shared = mode == LockMode::shared;
    if (::flock(tried.directory.get(), (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return ended(End::cannot_lock, errno);
        tried.end = End::busy;
        return tried;
    }
    // The creator, too, must look again: a contender or systemd-tmpfiles can have come between mkdir and flock.
    mode_t mode_now = 0;
    if (!is_at(parent_fd, name, tried.identity, &mode_now)) return ended(End::retry);
    tried.had_readers = (mode_now & kHadReaders) != 0;
    // The kernel gives a share to whoever asks, past any writer that waits for the other shares to go.
    const bool writer_first = shared && is_writer_waiting(tried.directory.get());
    tried.end = writer_first ? End::writer_first : End::held;
    return tried;
}

void undo_mkdir(int parent_fd, const char* name, UniqueFd& spare) {
    spare.reset();
    const UniqueFd directory(::openat(parent_fd, name, kOpenDirectory));
    struct stat info{};
    if (!directory || ::fstat(directory.get(), &info) != 0 || kind_of_directory(info) != DirectoryKind::ours) return;
    if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0 || !is_at(parent_fd, name, info)) return;
    ::unlinkat(parent_fd, name, AT_REMOVEDIR);
}

bool is_at(int parent_fd, const char* name, const struct stat& identity, mode_t* mode) {
    struct stat now{};
    if (::fstatat(parent_fd, name, &now, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (mode != nullptr) *mode = now.st_mode;
    return now.st_ino == identity.st_ino && now.st_dev == identity.st_dev;
}

UniqueFd create_record(int directory_fd, const char* name) { return UniqueFd(::openat(directory_fd, name, kCreate, 0600)); }

int write_record(int record_fd, RecordText& text, std::size_t& length) {
    static_assert(kLongestRecord % kRecordBlock == 0);
    const std::size_t blocks = (text.size() + kRecordBlock - 1) / kRecordBlock;
    length = std::max(length, blocks * kRecordBlock);
    while (text.size() < length) text += '\n';
    const ssize_t written = ::pwrite(record_fd, text.view().data(), text.size(), 0);
    if (written == static_cast<ssize_t>(text.size())) return 0;
    return written < 0 ? errno : ENOSPC;  // a short write to a regular file: no room for the rest
}

// Of a reader the guardian has the flock already, exclusively: the other kind makes it anew, and this process the one that
// /proc/locks names.
int mark_record(int record_fd) { return ::flock(record_fd, LOCK_SH | LOCK_NB) == 0 ? 0 : errno; }

void unmark_record(int record_fd) { ::flock(record_fd, LOCK_UN); }

UniqueFd create_mark(int directory_fd, const char* name) {
    UniqueFd file(::openat(directory_fd, name, kCreate, 0600));
    if (!file) return file;
    // Nobody but the directory's holder looks for marks, so that there is nobody to wait for here.
    if (::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return file;
    const int error = errno;
    ::unlinkat(directory_fd, name, 0);
    errno = error;
    return UniqueFd();
}

void write_mark_pid(int mark_fd, pid_t pid) {
    TextBuffer<24> text;
    text.append("pid ").append(pid) += '\n';
    [[maybe_unused]] const ssize_t written = ::pwrite(mark_fd, text.view().data(), text.size(), 0);
}

}  // namespace lockstep
