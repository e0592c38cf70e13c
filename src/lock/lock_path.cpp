#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.hpp"
#include "lock/directory_lock.hpp"

namespace lockstep {

namespace {

struct LocalFileSystem {
    const char* name;
    unsigned long magic;
};

// statfs(2), linux/magic.h. A list of what is known to be local: flock on a directory of NFS, CIFS, FUSE, 9p or ceph may be
// a matter of this machine only, or of nobody.
constexpr std::array kLocalFileSystems = {
    LocalFileSystem{"ext2, ext3, ext4", 0xEF53}, LocalFileSystem{"tmpfs", 0x01021994}, LocalFileSystem{"overlayfs", 0x794C7630},
    LocalFileSystem{"xfs", 0x58465342},          LocalFileSystem{"btrfs", 0x9123683E}, LocalFileSystem{"zfs", 0x2FC12FC1},
    LocalFileSystem{"f2fs", 0xF2F52010},         LocalFileSystem{"ramfs", 0x858458F6}, LocalFileSystem{"bcachefs", 0xCA451A4E},
};

struct Place {
    std::string parent;
    std::string name;
};

Result<Place> split(const std::string& name_or_path) {
    if (name_or_path.empty()) return fail(Failure::lock, "the lock's name is empty: give a name or a path");
    if (name_or_path.find('\0') != std::string::npos) return fail(Failure::lock, "the lock's name contains a NUL character");
    if (name_or_path.find('/') == std::string::npos) {
        if (name_or_path == "." || name_or_path == "..") {
            return fail(
                Failure::lock,
                "\"" + name_or_path + "\" cannot be a lock: give a name or the path of a directory that does not exist yet");
        }
        return Place{default_lock_root(), name_or_path + ".lock"};
    }
    std::string path = name_or_path;
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    const std::size_t slash = path.rfind('/');
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (name.empty() || name == "." || name == "..") {
        return fail(Failure::lock, printable(name_or_path) +
                                       " cannot be a lock: its last part must be a name of its own, as in /tmp/NAME.lock");
    }
    std::string parent = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
    return Place{std::move(parent), std::move(name)};
}

std::string absolute(const Place& place) {
    std::string parent = place.parent;
    if (parent.front() != '/') {
        std::array<char, 4096> buffer{};
        const std::string here = ::getcwd(buffer.data(), buffer.size()) != nullptr ? buffer.data() : "(removed directory)";
        parent = parent == "." ? here : here + "/" + parent;
    }
    return (parent == "/" ? "" : parent) + "/" + place.name;
}

Result<void> check_parent(int fd, const std::string& parent, const std::string& text, const char* ways_elsewhere) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) return os_error(Failure::lock, text + ": looking at " + parent);
    const bool by_all = (info.st_mode & S_IWOTH) != 0;
    const bool by_group = (info.st_mode & S_IWGRP) != 0;
    if ((by_all || by_group) && (info.st_mode & S_ISVTX) == 0) {
        const std::string who = by_all ? "everybody" : "the group with gid " + std::to_string(info.st_gid);
        return fail(Failure::lock, text + ": " + who + " may write in " + parent +
                                       " and it has no sticky bit, so that others could remove or replace the lock. "
                                       "Set the bit (chmod +t), forbid the writing (chmod " +
                                       (by_all && by_group ? "go-w"
                                        : by_all           ? "o-w"
                                                           : "g-w") +
                                       "), or choose another place " + ways_elsewhere);
    }
    struct statfs system{};
    if (::fstatfs(fd, &system) != 0) return os_error(Failure::lock, text + ": asking for the file system of " + parent);
    // f_type is signed on some machines: the magic number is its low 32 bits.
    const unsigned long magic = static_cast<unsigned long>(system.f_type) & 0xFFFFFFFFUL;
    if (std::ranges::find(kLocalFileSystems, magic, &LocalFileSystem::magic) != kLocalFileSystems.end()) return {};
    std::array<char, 24> type{};
    std::snprintf(type.data(), type.size(), "0x%lx", magic);
    return fail(Failure::lock,
                text + ": " + parent + " is not on a local file system that is known to lock directories (type " + type.data() +
                    "): a lock on a network file system can be held twice. Choose a place such as /tmp " + ways_elsewhere);
}

}  // namespace

std::string default_lock_root() {
    const char* root = ::getenv("LOCKSTEP_LOCK_ROOT");
    return root != nullptr && *root != '\0' ? root : "/tmp";
}

Result<LockPath> LockPath::open(const std::string& name_or_path) {
    auto place = split(name_or_path);
    if (!place) return std::unexpected(std::move(place.error()));
    LockPath path;
    const bool bare = name_or_path.find('/') == std::string::npos;
    path.ways_elsewhere_ = bare ? "with --lock PATH, or all locks with LOCKSTEP_LOCK_ROOT" : "with --lock";
    path.text_ = absolute(*place);
    path.name_ = std::move(place->name);
    const std::string shown = printable(path.text_, 4096);
    const std::string parent = printable(place->parent, 4096);
    // O_PATH: a parent that we may write but not read is good enough.
    path.parent_.reset(::open(place->parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!path.parent_) {
        const int error = errno;
        const std::string hint = error == ENOENT || error == ENOTDIR
                                     ? std::string(". Create it, or choose another place ") + path.ways_elsewhere_
                                     : "";
        return fail(
            Failure::lock,
            shown + ": the directory " + parent + " that is to hold the lock cannot be opened: " + errno_text(error) + hint,
            error);
    }
    if (auto checked = check_parent(path.parent_.get(), parent, shown, path.ways_elsewhere_); !checked)
        return std::unexpected(std::move(checked.error()));
    return path;
}

}  // namespace lockstep
