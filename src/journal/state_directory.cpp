#include "journal/state_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>
#include <vector>

#include "journal/sqlite_journal.hpp"

namespace lockstep {
namespace {

constexpr const char* kElsewhere = "; name another directory with --state-dir";

Result<void> make_directory(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0) {
        if (errno == EEXIST) return {};
        return os_error(Failure::journal, fmt::format("creating the journal's directory {}", path.native()));
    }
    // The umask may have taken bits away from mkdir(2), even our own.
    if (::chmod(path.c_str(), 0700) != 0)
        return os_error(Failure::journal, fmt::format("setting the mode of {}", path.native()));
    return sync_directory(path.has_parent_path() ? path.parent_path().native() : ".");
}

Result<void> make_directories(const std::filesystem::path& path) {
    auto made = make_directory(path);
    if (made || made.error().errno_value != ENOENT || !path.has_parent_path() || path.parent_path() == path) return made;
    if (auto parent = make_directories(path.parent_path()); !parent) return parent;
    return make_directory(path);
}

/// flock(2) and SQLite's shared memory work between processes of one machine only.
const char* network_file_system(int fd) {
    struct statfs fs{};
    if (::fstatfs(fd, &fs) != 0) return nullptr;
    switch (static_cast<unsigned long>(fs.f_type) & 0xffffffffUL) {
        case NFS_SUPER_MAGIC: return "nfs";
        case SMB_SUPER_MAGIC: return "smb";
        case CIFS_SUPER_MAGIC: return "cifs";
        case SMB2_SUPER_MAGIC: return "smb2";
        case CEPH_SUPER_MAGIC: return "ceph";
        case AFS_SUPER_MAGIC: return "afs";
        case V9FS_MAGIC: return "9p";
        default: return nullptr;
    }
}

}  // namespace

Result<void> sync_directory(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return os_error(Failure::journal, fmt::format("syncing directory {}", path));
    return {};
}

Result<std::string> default_state_directory() {
    const uid_t uid = ::geteuid();
    if (uid == 0) return "/var/lib/lockstep";
    std::vector<char> buffer(16 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    int code = 0;
    while ((code = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == ERANGE) buffer.resize(buffer.size() * 2);
    if (code != 0) return os_error(Failure::journal, fmt::format("looking up the home directory of uid {}", uid), code);
    if (found == nullptr || found->pw_dir == nullptr || found->pw_dir[0] != '/') {
        return fail(Failure::journal,
                    fmt::format("uid {} has no home directory for the journal; name a directory with --state-dir", uid));
    }
    return std::string(found->pw_dir) + "/.local/state/lockstep";
}

Result<void> prepare_state_directory(const std::string& path) {
    if (auto made = make_directories(std::filesystem::path(path).lexically_normal()); !made) return made;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return os_error(Failure::journal, fmt::format("opening the journal's directory {}", path));
    struct stat info{};
    if (::fstat(fd.get(), &info) != 0)
        return os_error(Failure::journal, fmt::format("looking at the journal's directory {}", path));
    if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
        return fail(Failure::journal, fmt::format("the journal's directory {} may be changed by anybody: refusing to use it{}",
                                                  path, kElsewhere));
    }
    if (const char* kind = network_file_system(fd.get())) {
        return fail(
            Failure::journal,
            fmt::format("the journal's directory {} lies on a network file system ({}), where file locks cannot be trusted{}",
                        path, kind, kElsewhere));
    }
    return {};
}

Result<UniqueFd> open_own_file(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600));
    const bool created = static_cast<bool>(fd);
    // O_NONBLOCK: a fifo or a device of that name must not make us wait.
    if (!created && errno == EEXIST) fd.reset(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!fd) {
        const int saved = errno;
        const char* advice = saved == ELOOP ? " (a symbolic link); remove it" : "";
        return fail(Failure::journal, fmt::format("opening {}: {}{}", path, errno_text(saved), advice), saved);
    }
    if (created && ::fchmod(fd.get(), 0600) != 0)
        return os_error(Failure::journal, fmt::format("setting the mode of {}", path));
    struct stat info{};
    if (::fstat(fd.get(), &info) != 0) return os_error(Failure::journal, fmt::format("looking at {}", path));
    if (!S_ISREG(info.st_mode)) return fail(Failure::journal, fmt::format("{} is not a regular file: move it away", path));
    if (info.st_uid != ::geteuid()) {
        return fail(Failure::journal, fmt::format("{} is owned by uid {}, not by you (uid {}): refusing to touch it{}", path,
                                                  info.st_uid, ::geteuid(), kElsewhere));
    }
    return fd;
}

}  // namespace lockstep
